//! What carries the lab's names and is not the lab's: it stays as it is, whatever is asked for.

use super::world::{World, is_look};

fn changes(world: &World) -> Vec<String> {
    world.log().into_iter().filter(|line| !is_look(line)).collect()
}

#[test]
fn a_foreign_cluster_of_the_same_name_is_refused() {
    let world = World::new();
    world.set("clusters/egress-lab", "");
    world.set("containers/egress-lab-control-plane", "foreign running");
    let before = world.there();
    for args in [&[][..], &["--internet"], &["--with-istio"]] {
        let said = match args {
            ["--internet"] => World::said(&world.run(&["up", "--force", "--internet"]), 4),
            _ => World::said(&world.up(args), 4),
        };
        assert!(said.contains("this state folder did not make it") && said.contains("left alone"), "{said}");
    }
    assert!(World::said(&world.run(&["down"]), 0).contains("nothing to remove"));
    assert_eq!(changes(&world), Vec::<String>::new());
    assert_eq!(world.there(), before);
}

#[test]
fn other_clusters_are_nobodys_business() {
    let world = World::new();
    world.set("clusters/kind", "");
    world.set("containers/kind-control-plane", "foreign running");
    World::said(&world.up(&[]), 0);
    World::said(&world.run(&["down", "--images"]), 0);
    let left: Vec<String> = world.there().into_keys().collect();
    assert_eq!(left, ["clusters/kind", "containers/kind-control-plane"]);
}

#[test]
fn a_cluster_that_was_replaced_meanwhile_is_left() {
    let world = World::new();
    World::said(&world.up(&[]), 0);
    world.set("containers/egress-lab-control-plane", "foreign running");
    let said = World::said(&world.up(&[]), 4);
    assert!(said.contains("is not the one that `kind up` made"), "{said}");
    let said = World::said(&world.run(&["status"]), 4);
    assert!(said.contains("is not the node that was made"), "{said}");
    world.log();
    let said = World::said(&world.run(&["down"]), 1);
    assert!(said.contains("LEFT: kind cluster egress-lab: is another one than was made"), "{said}");
    assert!(changes(&world).iter().all(|line| !line.contains("delete cluster")));
    assert!(world.there().contains_key("clusters/egress-lab"));
}

#[test]
fn a_foreign_container_of_an_origins_name_is_refused_and_left() {
    for label in ["kind", ""] {
        let world = World::new();
        world.set("containers/egress-lab-origin-wikimedia", &format!("foreign running {label}"));
        let said = World::said(&world.up(&[]), 4);
        assert!(said.contains("a container egress-lab-origin-wikimedia that this state folder did not make"), "{said}");
        World::said(&world.run(&["down"]), 0);
        assert_eq!(world.get("containers/egress-lab-origin-wikimedia"), format!("foreign running {label}"));
    }
}

#[test]
fn images_that_were_there_before_are_never_removed() {
    let world = World::new();
    world.set("images/docker.io_curlimages_curl_8.1.2", "");
    World::said(&world.up(&[]), 0);
    World::said(&world.run(&["down", "--images"]), 0);
    assert_eq!(world.there().into_keys().collect::<Vec<_>>(), ["images/docker.io_curlimages_curl_8.1.2"]);
}

#[test]
fn pulled_images_are_kept_unless_asked_and_said() {
    let world = World::new();
    World::said(&world.up(&[]), 0);
    let said = World::said(&world.run(&["down"]), 0);
    assert!(said.contains("kept for the next time") && said.contains("image docker.io/curlimages/curl:8.1.2"), "{said}");
    assert_eq!(world.there().into_keys().collect::<Vec<_>>(), ["images/docker.io_curlimages_curl_8.1.2"]);
    let said = World::said(&world.run(&["status"]), 0);
    assert!(said.contains("1 image kept"), "{said}");
    World::said(&world.run(&["down", "--images"]), 0);
    assert!(world.there().is_empty() && !world.state("journal.jsonl").exists());
}

#[test]
fn the_outside_world_is_not_changed_under_a_cluster() {
    let world = World::new();
    World::said(&world.up(&[]), 0);
    let said = World::said(&world.run(&["up", "--force", "--internet"]), 4);
    assert!(said.contains("go on without --internet"), "{said}");
    world.log();
    World::said(&world.run(&["down", "--images"]), 0);
    World::said(&world.run(&["up", "--force", "--internet"]), 0);
    assert!(world.names().is_empty() || world.log().iter().all(|line| !line.contains("configmap")));
    let said = World::said(&world.run(&["status", "--json"]), 0);
    let rows: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        rows.as_array().unwrap().iter().any(|row| row["name"] == "outside world" && row["found"] == "the Internet"),
        "{said}"
    );
}
