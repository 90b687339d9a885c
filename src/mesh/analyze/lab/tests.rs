use super::*;
use std::collections::BTreeSet;

#[test]
fn every_check_has_an_id_of_its_own() {
    let ids: Vec<&str> = checks().map(|check| check.id).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    assert!(checks().all(|check| check.id.len() == 6 && !check.about.is_empty()));
}
