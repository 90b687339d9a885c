//! A world that imitates another Istio release: what installing brings, and what requests then show of it.

use egress_lab::base::files::{Files, MemoryFiles};
use egress_lab::base::seed::Seed;
use egress_lab::lab::actions;
use egress_lab::lab::env::Environment;
use egress_lab::lab::env::sandbox::{Bend, Make, Sandbox};
use egress_lab::lab::prompt::Prompt;
use egress_lab::lesson::model::Fault;
use egress_lab::mesh::versions;
use std::sync::Arc;

const ENTRY: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wiki}
spec: {hosts: [www.wikipedia.org], resolution: RESOLUTION, ports: [{number: 80, name: http, protocol: HTTP}]}
";

struct Lab {
    env: Arc<Sandbox>,
    files: Arc<MemoryFiles>,
    prompt: Prompt,
}

impl Lab {
    async fn installed(version: &str) -> Lab {
        let env = Arc::new(Sandbox::in_process(Make::instant(Seed(3)), Bend::Honest).imitating(version));
        let files = Arc::new(MemoryFiles::default());
        let prompt = Prompt::new(env.clone(), files.clone(), None);
        let lab = Lab { env, files, prompt };
        lab.good("istioctl install --set profile=demo -y").await;
        lab.good("kubectl label namespace default istio-injection=enabled").await;
        lab.good("kubectl run test --image=curlimages/curl:8.1.2 --command -- sleep 3600").await;
        lab
    }

    async fn line(&self, line: &str) -> (i32, String) {
        let (out, _) = tokio::sync::mpsc::channel(1);
        let ran = actions::line(&self.prompt, line, &out).await;
        (ran.exit_code, ran.output)
    }

    async fn good(&self, line: &str) -> String {
        let (code, output) = self.line(line).await;
        assert_eq!(code, 0, "{line}: {output}");
        output
    }

    async fn apply(&self, resolution: &str) -> (i32, String) {
        self.files.write("se.yaml", ENTRY.replace("RESOLUTION", resolution).as_bytes()).expect("written");
        self.line("kubectl apply -f se.yaml").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_the_release_that_it_imitates() {
    let body = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure";
    for version in versions::lines() {
        let release = versions::find(&version).expect("a release");
        let lab = Lab::installed(&version).await;
        assert!(lab.good("istioctl version").await.contains(&format!("client version: {}", release.tag)));
        let image = lab
            .good("kubectl get deployment istiod -n istio-system -o jsonpath='{.spec.template.spec.containers[0].image}'")
            .await;
        assert_eq!(image, format!("{}/pilot:{}", release.hub, release.tag));
        let (code, said) = lab.apply("DYNAMIC").await;
        assert_eq!((code, said.contains("DYNAMIC_DNS")), (1, version == "1.30"), "{said}");
        lab.apply("DNS").await;
        let down = Fault::Origin { host: "www.wikipedia.org".into(), port: 80, up: false };
        lab.env.fault(&down).await.expect("the origin is down");
        let got = lab.good("kubectl exec test -- curl -s http://www.wikipedia.org/").await;
        let reason = ", transport failure reason: delayed connect error: Connection refused";
        let wanted = if release.facts.hides_transport_failure { body.to_string() } else { format!("{body}{reason}") };
        assert_eq!(got, wanted, "in {version}");
    }
}
