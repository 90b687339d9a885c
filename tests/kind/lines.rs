//! The exact command lines, as the README has them.

use super::world::{World, is_look};

/// The command lines of a block of the README that follows this sentence.
fn documented(after: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once(after).unwrap_or_else(|| panic!("the README does not say {after:?}"));
    let block = rest.split("```").nth(1).expect("a block");
    let joined = block.replace("\\\n", "");
    let lines = joined.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

/// What was run, with names for what differs from machine to machine, each line once.
fn ran(world: &World) -> Vec<String> {
    let home = world.home.folder.path().display().to_string();
    let mut lines: Vec<String> = Vec::new();
    let sites: Vec<String> = egress_lab::lab::kind::outside::origins().into_iter().map(|origin| origin.site).collect();
    for line in world.log().into_iter().filter(|line| !is_look(line)) {
        let mut line = line.replace(&format!("{home}/state/kind"), "DIR");
        // From the longest on: one id may begin another.
        let mut sites = sites.clone();
        sites.sort_by_key(|site| std::cmp::Reverse(site.len()));
        for site in &sites {
            line = line.replace(&format!("egress-lab-origin-{site}"), "egress-lab-origin-SITE");
            line = line.replace(&format!("--site {site}"), "--site SITE");
        }
        line = line.replace("linux/arm64", "linux/amd64");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn the_readme_has_every_line_that_is_run() {
    let world = World::new();
    World::said(&world.up(&["--with-istio"]), 0);
    assert_eq!(ran(&world), documented("What `kind up --with-istio` runs"));
    World::said(&world.run(&["down"]), 0);
    assert_eq!(ran(&world), documented("What `kind down` runs"));
}

#[test]
fn without_an_istioctl_the_readme_has_the_line_of_the_image() {
    let world = World::with(&["docker", "kind", "df"]);
    let said = World::said(&world.up(&["--with-istio"]), 0);
    let lines = ran(&world);
    let line = lines.iter().find(|line| line.contains("run --rm")).expect("the image is run");
    assert_eq!(*line, documented("Without an `istioctl`")[0]);
    // The exact line stands before what it prints.
    let shown = said.find("$ docker run --rm").expect("shown");
    assert!(shown < said.find("Installation complete").expect("printed"), "{said}");
    assert!(!world.state("kubeconfig.internal").exists());
}

#[test]
fn what_is_shown_is_what_is_run_and_what_is_recorded() {
    let world = World::new();
    let said = World::said(&world.up(&["--with-istio"]), 0);
    let shown: Vec<String> = said.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_string).collect();
    let ran: Vec<String> = world.log().into_iter().filter(|line| !is_look(line)).collect();
    let ours = shown.iter().filter(|line| !line.contains(" origin ca ")).map(|line| line.replace('\'', ""));
    assert_eq!(ours.collect::<Vec<_>>(), ran);
    let record = std::fs::read_to_string(world.home.folder.path().join("state/tools.log")).unwrap();
    for line in &shown {
        assert!(record.contains(&format!(" $ {line}\n")), "{line} is not recorded");
        assert!(record.contains(&format!("ms: {line}\n")), "the end of {line} is not recorded");
    }
}

#[test]
fn the_users_kubeconfig_is_touched_only_when_asked() {
    let world = World::new();
    let mut command = world.command(&["up", "--force", "--internet"]);
    command.env("KUBECONFIG", "/users/own");
    World::said(&crate::program::finish(command, "", 60), 0);
    let lines = world.log();
    assert!(lines.iter().all(|line| !line.contains("export kubeconfig") && !line.contains("/users/own")), "{lines:?}");
    let mut command = world.command(&["up", "--force", "--internet", "--merge-kubeconfig"]);
    command.env("KUBECONFIG", "/users/own");
    World::said(&crate::program::finish(command, "", 60), 0);
    let lines: Vec<String> = world.log().into_iter().filter(|line| !is_look(line)).collect();
    assert_eq!(lines, ["KUBECONFIG=/users/own kind export kubeconfig --name egress-lab"]);
}

/// A kubeconfig as a person keeps it.
const OWN: &str = "# mine\napiVersion: v1\ncurrent-context: prod\ncontexts:\n- {name: prod, context: {cluster: prod}}\n";

fn with_own(world: &World, args: &[&str], file: &std::path::Path) -> String {
    let mut command = world.command(args);
    command.env("KUBECONFIG", file);
    World::said(&crate::program::finish(command, "", 60), 0)
}

#[test]
fn a_merged_kubeconfig_comes_back_to_the_byte() {
    let world = World::new();
    let file = world.home.folder.path().join("own");
    std::fs::write(&file, OWN).unwrap();
    with_own(&world, &["up", "--force", "--internet", "--merge-kubeconfig"], &file);
    let merged = std::fs::read_to_string(&file).unwrap();
    assert!(merged.contains("current-context: kind-egress-lab") && !merged.contains("# mine"), "{merged}");
    let said = with_own(&world, &["down"], &file);
    assert!(said.contains("is again what it was before"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), OWN);
    assert!(!world.state("kubeconfig.user-before").exists() && !world.state("kubeconfig.user-after").exists());
}

#[test]
fn what_the_user_changed_in_a_merged_kubeconfig_stays_and_the_lost_current_context_is_named() {
    let world = World::new();
    let file = world.home.folder.path().join("own");
    std::fs::write(&file, OWN).unwrap();
    with_own(&world, &["up", "--force", "--internet", "--merge-kubeconfig"], &file);
    let merged = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{merged}users: [{{name: new}}]\n")).unwrap();
    let said = with_own(&world, &["down"], &file);
    let joined = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains("kubectl config use-context prod"), "{said}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("users: [{name: new}]"));
}

#[test]
fn podman_is_used_where_docker_is_missing_and_kind_is_told() {
    let world = World::podman();
    World::said(&world.up(&[]), 0);
    let lines = world.log();
    assert!(
        lines
            .iter()
            .filter(|line| line.contains("kind ") && line.contains("cluster"))
            .all(|line| { line.starts_with("KIND_EXPERIMENTAL_PROVIDER=podman ") }),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("podman run --detach")));
    // `down` asks the engine that was used, also when docker has come since.
    world.install("docker");
    World::said(&world.run(&["down"]), 0);
    assert!(world.log().iter().all(|line| !line.starts_with("docker ")));
}
