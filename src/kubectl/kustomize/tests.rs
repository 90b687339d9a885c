use super::*;
use crate::base::files::Folder;

fn built(folder: &str) -> (String, String) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kubectl/kustomize");
    let files = Folder::open(Path::new(root)).unwrap();
    let mut build = Build { files: &files, warnings: Vec::new(), visited: Vec::new() };
    match build.top(folder) {
        Ok(all) => (printed(&all), build.warnings.join("\n")),
        Err(error) => (String::new(), error.text().replace(root, "/root")),
    }
}

/// What kubectl 1.37 printed for the same folders.
#[test]
fn kustomizations_make_what_they_made_in_kubectl() {
    let recorded = [
        ("a", include_str!("../../../tests/data/kubectl/kustomize/a.out")),
        ("b", include_str!("../../../tests/data/kubectl/kustomize/b.out")),
        ("c", include_str!("../../../tests/data/kubectl/kustomize/c.out")),
        ("d", include_str!("../../../tests/data/kubectl/kustomize/d.out")),
        ("i", include_str!("../../../tests/data/kubectl/kustomize/i.out")),
    ];
    for (folder, want) in recorded {
        let (got, said) = built(folder);
        let different: Vec<String> = similar::TextDiff::from_lines(want, got.as_str())
            .iter_all_changes()
            .filter(|change| change.tag() != similar::ChangeTag::Equal)
            .map(|change| format!("{}{change}", change.tag()))
            .collect();
        assert!(different.is_empty(), "{folder} ({said}):\n{}", different.concat());
    }
}

#[test]
fn what_is_wrong_is_said_in_kustomize_s_words() {
    let rows = [
        (
            "e",
            "error: accumulating resources: accumulation err='merging resources from 'cm.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/cfg.lab': must build at directory: '/root/e/cm.yaml': file is not directory",
        ),
        (
            "f",
            "error: accumulating resources: accumulation err='accumulating resources from 'nope.yaml': evalsymlink failure on '/root/f/nope.yaml' : lstat /root/f/nope.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '/root/f/nope.yaml' : lstat /root/f/nope.yaml: no such file or directory",
        ),
        ("g", "error: invalid Kustomization: json: unknown field \"nope\""),
        (
            "h",
            "error: no resource matches strategic merge patch \"ConfigMap.v1.[noGrp]/other.[noNs]\": no matches for Id ConfigMap.v1.[noGrp]/other.[noNs]; failed to find unique target for patch ConfigMap.v1.[noGrp]/other.[noNs]",
        ),
        ("j", "error: not simulated here: kustomization field buildMetadata"),
        (
            "k2",
            "error: accumulating resources: accumulation err='accumulating resources from '../a/cm.yaml': security; file '/root/a/cm.yaml' is not in or below '/root/k2'': must build at directory: '/root/a/cm.yaml': file is not directory",
        ),
        (
            "nosuch",
            "error: must build at directory: not a valid directory: evalsymlink failure on 'nosuch' : lstat /root/nosuch: no such file or directory",
        ),
        ("a/cm.yaml", "error: must build at directory: '/root/a/cm.yaml': file is not directory"),
        ("https://github.com/x/y", "error: not simulated here: kustomizations that are fetched from elsewhere"),
    ];
    for (folder, want) in rows {
        assert_eq!(built(folder).1, want, "{folder}");
    }
}

#[test]
fn deprecated_fields_are_named() {
    let (_, said) = built("d");
    let want = "# Warning: 'patchesStrategicMerge' is deprecated. Please use 'patches' instead. Run 'kustomize edit fix' to update your Kustomization automatically.\n# Warning: 'commonLabels' is deprecated. Please use 'labels' instead. Run 'kustomize edit fix' to update your Kustomization automatically.";
    assert_eq!(said, want);
}

#[test]
fn a_loop_of_kustomizations_ends() {
    let files = crate::base::files::MemoryFiles::default();
    files.write("a/kustomization.yaml", b"resources: [../b]").unwrap();
    files.write("b/kustomization.yaml", b"resources: [../a]").unwrap();
    let mut build = Build { files: &files, warnings: Vec::new(), visited: Vec::new() };
    assert!(build.top("a").unwrap_err().text().contains("cycle detected"));
}
