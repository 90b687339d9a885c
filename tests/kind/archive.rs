//! A room without network: everything comes out of one file.

use super::world::{There, World, is_look};

/// Prepares an archive on one machine; its path.
fn archive(world: &World) -> String {
    let file = world.home.folder.path().join("room.tar").display().to_string();
    let program = world.home.folder.path().join("origin-program").display().to_string();
    let said = World::said(&world.run(&["prepull", "--force", "--archive", &file, "--origin-program", &program]), 0);
    assert!(said.contains("All images are in"), "{said}");
    file
}

#[test]
fn a_cluster_is_made_of_an_archive_without_a_network() {
    let (online, room) = (World::with(&["docker", "df"]), World::with(&["docker", "kind", "df"]));
    let file = archive(&online);
    room.set("no-network", "");
    let said = World::said(&room.up(&["--archive", &file, "--with-istio"]), 0);
    let ran: Vec<String> = room.log().into_iter().filter(|line| !is_look(line)).collect();
    assert!(ran.iter().all(|line| !line.contains(" pull ") && !line.contains(" build ")), "{ran:?}");
    let config = std::fs::read_to_string(room.state("cluster.yaml")).unwrap();
    assert!(config.contains("image: localhost/egress-lab/node:v") && !config.contains("@sha256"), "{config}");
    // Istio's images are in the node, too.
    assert!(ran.iter().any(|line| line.contains("save") && line.contains("pilot") && line.contains("proxyv2")), "{said}");
    assert!(room.names().contains(&"www.wikipedia.org".to_string()));
    World::said(&room.run(&["down", "--images"]), 0);
    assert_eq!(room.there(), There::new());
}

#[test]
fn an_archive_that_lacks_an_image_is_refused() {
    let (online, room) = (World::with(&["docker", "df"]), World::new());
    let file = archive(&online);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.lines().filter(|line| !line.contains("proxyv2")).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    let said = World::said(&room.up(&["--archive", &file]), 4);
    assert!(said.contains("has no image") && said.contains("proxyv2"), "{said}");
    World::said(&room.run(&["down", "--images"]), 0);
    assert_eq!(room.there(), There::new());
}

#[test]
fn a_half_written_archive_never_has_the_archives_name() {
    let world = World::with(&["docker", "df"]);
    world.breaks("half", "docker save");
    let file = world.home.folder.path().join("room.tar");
    let program = world.home.folder.path().join("origin-program").display().to_string();
    let args = ["prepull", "--force", "--archive", file.to_str().unwrap(), "--origin-program", &program];
    World::said(&world.run(&args), 4);
    assert!(!file.exists() && !file.with_extension("half").exists());
    world.unset("fault");
    World::said(&world.run(&args), 0);
    assert!(file.exists());
}

#[test]
fn images_that_were_pulled_ahead_are_loaded_into_the_node() {
    let world = World::new();
    let program = world.home.folder.path().join("origin-program").display().to_string();
    World::said(&world.run(&["prepull", "--force", "--origin-program", &program]), 0);
    world.set("no-network", "");
    World::said(&world.up(&[]), 0);
    let saved: Vec<String> = world.log().into_iter().filter(|line| line.starts_with("docker save")).collect();
    assert!(saved.len() == 1 && saved[0].contains("pilot") && saved[0].contains("localhost/egress-lab/curl"), "{saved:?}");
}
