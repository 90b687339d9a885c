use super::*;

const WRONG: &str = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s}\nspec: {}\n";
const FINE: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec:\n  hosts: [www.wikipedia.org]\n  \
                    resolution: DNS\n  ports: [{number: 80, name: http, protocol: HTTP}]\n";

const FOUND: &str = "Error: Analyzers found issues when analyzing namespace: default.\nSee \
                     https://istio.io/v1.30/docs/reference/config/analysis for more information about causes and resolutions.\n";

/// Runs it over files in memory; the server has one namespace.
async fn analyze(args: &str, stdin: &str, files: &[(&str, &str)]) -> (i32, String) {
    let server = server(true, true);
    let path = "/api/v1/namespaces/default".to_string();
    server.lock().expect("the server").objects.insert(path, json!({"metadata": {"name": "default"}}));
    istioctl_with(&server, &format!("analyze {args}"), stdin, files).await
}

#[tokio::test]
async fn exit_codes_and_sentences_are_istioctls() {
    let error = "Error [IST0106] (Sidecar default/s a.yaml:1) Schema validation error: sidecar: empty configuration provided\n";
    let rows: &[(&str, i32, String)] = &[
        ("--use-kube=false a.yaml", 79, format!("{error}{FOUND}")),
        ("--use-kube=false b.yaml", 0, "\n✔ No validation issues found when analyzing b.yaml.\n".into()),
        ("--use-kube=false b.yaml d", 0, "\n✔ No validation issues found when analyzing:\n  - b.yaml\n  - d/e/x.yml\n".into()),
        ("--use-kube=false", 0, "\n✔ No validation issues found when analyzing namespace: default.\n".into()),
        ("--use-kube=false -A", 0, "\n✔ No validation issues found when analyzing all namespaces.\n".into()),
        ("--use-kube=false gone.yaml", 1, "Error: stat gone.yaml: no such file or directory\n".into()),
        ("--use-kube=false -n other a.yaml", 79, format!("{error}{FOUND}").replace("default/s", "other/s").replace(": default", ": other")),
        ("--use-kube=false a.yaml -o xml", 64, "Error: xml not a valid option for format. See istioctl analyze --help\n".into()),
        ("--use-kube=false a.yaml --failure-threshold x", 64, "Error: invalid argument \"x\" for \"--failure-threshold\" flag: invalid level option\n".into()),
        ("--use-kube=false a.yaml -S IST0106=Sidecar*", 0, "\n✔ No validation issues found when analyzing a.yaml.\n".into()),
        ("--use-kube=false t.txt", 0, "Skipping file t.txt, recognized file extensions are: [.json .yaml .yml]\n\n✔ No validation issues found when analyzing namespace: default.\n".into()),
        ("-n nowhere", 0, "namespace \"nowhere\" not found\n".into()),
    ];
    let files = [("a.yaml", WRONG), ("b.yaml", FINE), ("d/e/x.yml", FINE), ("t.txt", "x")];
    for (args, code, text) in rows {
        let (got, printed) = analyze(args, "", &files).await;
        assert_eq!((got, printed.as_str()), (*code, text.as_str()), "{args}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_ends_with_65() {
    let (code, text) = analyze("--use-kube=false c.yaml", "", &[("c.yaml", "a: b\n")]).await;
    let expected = "Error(s) adding files: 1 error occurred:\n\t* errors parsing content \"c.yaml\": 1 error occurred:\n\t* error processing \
                    c.yaml[0]: unable to parse resource with no group, version and kind\n\n\n\n\nNo validation issues found when analyzing \
                    namespace: default (but 1 file could not be parsed).\nError: Some files couldn't be parsed.\n";
    assert_eq!((code, text.as_str()), (65, expected));
    assert_eq!(analyze("--use-kube=false --ignore-unknown c.yaml", "", &[("c.yaml", "a: b\n")]).await.0, 0);
}

#[tokio::test]
async fn files_stand_over_the_cluster_and_stdin_is_a_file() {
    let (code, text) = analyze("-", WRONG, &[]).await;
    assert_eq!(code, 79);
    assert!(text.contains("(Sidecar default/s -:1)"), "{text}");
    let (_, json) = analyze("--use-kube=false -o json -", WRONG, &[]).await;
    assert!(
        json.starts_with("[\n\t{\n\t\t\"code\": \"IST0106\",\n\t\t\"documentationUrl\": \"https://istio.io/v1.30/docs"),
        "{json}"
    );
}

#[tokio::test]
async fn what_istioctl_does_not_notice_is_only_told_when_asked() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec:\n  meshConfig:\n    \
                    outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    let files = [("o.yaml", operator)];
    let (code, plain) = analyze("--use-kube=false o.yaml", "", &files).await;
    assert_eq!((code, plain.contains("EGL")), (0, false), "{plain}");
    let (code, told) = analyze("--use-kube=false --lab o.yaml", "", &files).await;
    assert_eq!(code, 0);
    assert!(
        told.contains("Warning [EGL102] (IstioOperator default/o spec.meshConfig.outboundTrafficPolicy.mode o.yaml:6)"),
        "{told}"
    );
}
