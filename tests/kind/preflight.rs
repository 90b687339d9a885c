//! What is missing is said with the exact next command, and nothing is made.

use super::world::{World, is_look};

/// Whether all of these words were said, wherever the lines were broken.
pub fn holds(said: &str, words: &[&str]) {
    let joined = said.split_whitespace().collect::<Vec<_>>().join(" ");
    words.iter().for_each(|word| assert!(joined.contains(word), "{word:?} was not said\n{said}"));
}

pub fn refused(world: &World, words: &[&str]) {
    let said = World::said(&world.up(&[]), 4);
    holds(&said, words);
    assert!(said.contains("nothing was made"), "{said}");
    assert!(world.log().iter().all(|line| is_look(line)) && world.there().is_empty());
    assert!(
        said.lines()
            .filter(|line| !line.contains("http") && !line.contains("egress-lab: "))
            .all(|line| line.chars().count() <= 80),
        "{said}"
    );
}

#[test]
fn a_daemon_that_does_not_answer_is_not_called_missing() {
    let world = World::new();
    world.breaks("fails", "docker info");
    refused(&world, &["`docker info --format '{{json .}}'` ended with exit code 1", "went wrong"]);
    // The other commands say the same and change nothing.
    world.unset("fault");
    World::said(&world.up(&[]), 0);
    let before = world.there();
    world.breaks("fails", "docker info");
    for verb in ["down", "status"] {
        assert!(World::said(&world.run(&[verb]), 4).contains("went wrong"));
    }
    assert_eq!(world.there(), before);
}

#[test]
fn looking_only_makes_nothing() {
    let world = World::new();
    let said = World::said(&world.up(&["--check"]), 0);
    assert!(said.contains("docker 28.2.2") && said.contains("istioctl        good     1.30.0"), "{said}");
    assert!(world.log().iter().all(|line| is_look(line)) && world.there().is_empty());
    assert!(!world.state("journal.jsonl").exists());
}

#[test]
fn a_program_that_cannot_be_an_origin_is_refused_before_anything_is_made() {
    let world = World::new();
    let args = ["up", "--force", "--origin-program", "/bin/../etc/hostname"];
    let said = World::said(&world.run(&args), 4);
    assert!(said.contains("origins         MISSING") && said.contains("--internet"), "{said}");
    assert!(world.there().is_empty());
}

#[test]
fn flags_that_exclude_each_other_are_a_usage_mistake() {
    let world = World::new();
    for args in [&["up", "--internet", "--archive", "x"][..], &["up", "--deadline", "0"], &["sideways"]] {
        World::said(&world.run(args), 2);
    }
}
