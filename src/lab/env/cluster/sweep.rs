//! Cleaning up: somebody else's objects are put back as they were, then what the record holds is deleted by uid, in an order that
//! ends. A namespace or a kind in which somebody else has put something since is left, and said so.

use super::merge::restore;
use super::path::Place;
use super::record::{Changed, Made, Record};
use super::scribe::{delete, meta, read};
use crate::k8s::object::{items, text};
use http::Request;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What is deleted together is waited for at most so long.
const GONE_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks whether it is gone; grows up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// A change that meets another one is tried again so often.
const TRIES: usize = 5;

/// What a cleanup did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    pub removed: Vec<String>,
    pub put_back: Vec<String>,
    /// What is still there, or not as it was, and why.
    pub left: Vec<(String, String)>,
}

/// What became of an object that was to be as it was.
pub enum Brought {
    /// It is, but for these places that somebody else has changed since.
    Done {
        kept: Vec<String>,
    },
    Missing,
    Refused(String),
}

/// Cleans up on one cluster.
pub struct Sweeper<'a> {
    /// Without the scribe: what is deleted here is in the record.
    pub client: &'a kube::Client,
    pub record: &'a Arc<Mutex<Record>>,
}

/// The order of deleting: webhooks first, since one whose server is gone stops every write; kinds and namespaces last.
pub fn rank(place: &Place) -> usize {
    let istio = place.group.ends_with("istio.io") || place.group == "gateway.networking.k8s.io";
    match (place.group.as_str(), place.plural.as_str()) {
        ("admissionregistration.k8s.io", _) => 0,
        _ if istio => 1,
        ("", "namespaces") => 5,
        ("apiextensions.k8s.io", _) => 4,
        _ if place.is_cluster_scoped() => 3,
        _ => 2,
    }
}

impl Sweeper<'_> {
    /// Puts everything back and deletes all that is recorded but for what `keeps` says.
    ///
    /// # Errors
    /// The server cannot be reached, or the record cannot be written.
    pub async fn sweep(&self, keeps: impl Fn(&Made) -> bool) -> anyhow::Result<Swept> {
        let mut swept = Swept::default();
        self.put_back_all(&mut swept).await?;
        let made: Vec<Made> = self.record().made().iter().filter(|made| !keeps(made)).cloned().collect();
        self.delete_all(made, &mut swept).await?;
        self.record().close_when_empty()?;
        Ok(swept)
    }

    /// Puts somebody else's objects back.
    ///
    /// # Errors
    /// As [`Sweeper::sweep`].
    pub async fn put_back_all(&self, swept: &mut Swept) -> anyhow::Result<()> {
        let changed: BTreeMap<Place, Changed> = self.record().changed().clone();
        for (place, changed) in changed {
            self.put_back(&place, &changed, swept).await?;
        }
        Ok(())
    }

    /// Puts one of somebody else's objects back as it was before the lab's first change.
    ///
    /// # Errors
    /// As [`Sweeper::sweep`].
    pub async fn put_back(&self, place: &Place, changed: &Changed, swept: &mut Swept) -> anyhow::Result<()> {
        match self.bring(place, changed, &changed.before).await? {
            Brought::Done { kept } => {
                swept.put_back.push(place.to_string());
                if !kept.is_empty() {
                    let why = format!("somebody has changed {} since; that was left as it is", kept.join(", "));
                    swept.left.push((place.to_string(), why));
                }
            }
            Brought::Missing => {
                swept.left.push((place.to_string(), "was changed by the lab, and somebody has deleted it since".into()));
            }
            Brought::Refused(why) => {
                swept.left.push((place.to_string(), format!("could not be put back: {why}")));
                return Ok(());
            }
        }
        self.record().put_back(place)
    }

    /// Brings somebody else's object to an earlier state, as far as it is still as we left it.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn bring(&self, place: &Place, changed: &Changed, to: &Value) -> anyhow::Result<Brought> {
        for _ in 0..TRIES {
            let now = read(self.client, place).await?.filter(|now| meta(now, "uid") == changed.uid);
            let Some(now) = now else { return Ok(Brought::Missing) };
            let (patch, kept) = restore(to, changed.after.as_ref().unwrap_or(&now), &now);
            let Some(mut patch) = patch else { return Ok(Brought::Done { kept }) };
            patch["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
            let request = Request::patch(place.path()).header("content-type", "application/merge-patch+json");
            match self.client.request::<Value>(request.body(serde_json::to_vec(&patch)?)?).await {
                Ok(_) => return Ok(Brought::Done { kept }),
                Err(kube::Error::Api(status)) if status.code == 409 => (),
                Err(kube::Error::Api(status)) => return Ok(Brought::Refused(status.message.clone())),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Brought::Refused("it is changed all the time".into()))
    }

    /// Deletes these, rank by rank, and waits until they are gone.
    ///
    /// # Errors
    /// As [`Sweeper::sweep`].
    pub async fn delete_all(&self, made: Vec<Made>, swept: &mut Swept) -> anyhow::Result<()> {
        let had_istiod = made.iter().any(|made| made.place.plural == "deployments" && made.place.name.starts_with("istiod"));
        let mut ranks: BTreeMap<usize, Vec<Made>> = BTreeMap::new();
        made.into_iter().for_each(|made| ranks.entry(rank(&made.place)).or_default().push(made));
        for (rank, made) in ranks {
            let mut going = Vec::new();
            // What was made last goes first.
            for made in made.into_iter().rev() {
                if let Some(why) = self.occupied(rank, &made).await? {
                    swept.left.push((made.place.to_string(), why));
                } else if self.delete(&made, swept).await? {
                    going.push(made);
                }
            }
            self.wait_gone(going, swept).await?;
            if rank == 2 && had_istiod {
                self.remove_root_certificates(swept).await?;
            }
        }
        Ok(())
    }

    /// Asks the server to delete one object, if it is still the one that was made; whether it is to be waited for.
    async fn delete(&self, made: &Made, swept: &mut Swept) -> anyhow::Result<bool> {
        match delete(self.client, &made.place, &made.uid).await {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.record().gone(&made.uid)?;
                Ok(false)
            }
            Err(error) => match error.downcast_ref() {
                Some(kube::Error::Api(status)) => {
                    swept.left.push((made.place.to_string(), format!("could not be deleted: {}", status.message)));
                    Ok(false)
                }
                _ => Err(error),
            },
        }
    }

    async fn wait_gone(&self, mut going: Vec<Made>, swept: &mut Swept) -> anyhow::Result<()> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            let mut still = Vec::new();
            for made in going {
                match read(self.client, &made.place).await?.filter(|now| meta(now, "uid") == made.uid) {
                    Some(_) => still.push(made),
                    None => {
                        self.record().gone(&made.uid)?;
                        swept.removed.push(made.place.to_string());
                    }
                }
            }
            if still.is_empty() || waited >= GONE_WITHIN {
                let why = |made: Made| (made.place.to_string(), "is being deleted and not gone yet (a finalizer?)".to_string());
                swept.left.extend(still.into_iter().map(why));
                return Ok(());
            }
            going = still;
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Why a namespace or a kind of ours must stay: somebody else's objects are in it and would go with it.
    async fn occupied(&self, rank: usize, made: &Made) -> anyhow::Result<Option<String>> {
        let found = match rank {
            4 => self.others_of_kind(&made.place.name).await?,
            5 => self.others_in(&made.place.name).await?,
            _ => return Ok(None),
        };
        Ok(match found.as_slice() {
            [] => None,
            [first] => Some(format!("holds {first}, which this lab did not make")),
            [first, rest @ ..] => Some(format!("holds {first} and {} more that this lab did not make", rest.len())),
        })
    }

    /// Objects of the kind of this CustomResourceDefinition that are not ours.
    async fn others_of_kind(&self, crd: &str) -> anyhow::Result<Vec<String>> {
        let definition = Place::all("apiextensions.k8s.io", "v1", "customresourcedefinitions").named(crd);
        let Some(object) = read(self.client, &definition).await? else { return Ok(Vec::new()) };
        let served = items(&object["spec"]["versions"]).iter().find(|version| version["served"] == true);
        let Some(version) = served.and_then(|v| v["name"].as_str()) else { return Ok(Vec::new()) };
        let [group, plural] = [&object["spec"]["group"], &object["spec"]["names"]["plural"]].map(text);
        self.others(&Place::all(group, version, plural)).await
    }

    /// Objects in a namespace that are neither ours nor there in every namespace nor made for one of ours.
    async fn others_in(&self, namespace: &str) -> anyhow::Result<Vec<String>> {
        let mut others = Vec::new();
        for kind in super::kinds::namespaced(self.client).await? {
            others.extend(self.others(&kind.within(namespace)).await?);
        }
        Ok(others)
    }

    async fn others(&self, kind: &Place) -> anyhow::Result<Vec<String>> {
        let Some(list) = read(self.client, kind).await? else { return Ok(Vec::new()) };
        let ours: BTreeSet<String> = self.record().made().iter().map(|made| made.uid.clone()).collect();
        let other = |item: &&Value| !ours.contains(meta(item, "uid")) && !comes_by_itself(kind, item);
        let show = |item: &Value| kind.within(meta(item, "namespace")).named(meta(item, "name")).to_string();
        Ok(items(&list["items"]).iter().filter(other).map(show).collect())
    }

    /// istiod writes its root certificate into every namespace (S: pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go)
    /// and nobody takes it out again. When the istiod that we brought was the only one, nobody else's are left.
    async fn remove_root_certificates(&self, swept: &mut Swept) -> anyhow::Result<()> {
        let deployments = read(self.client, &Place::all("apps", "v1", "deployments")).await?.unwrap_or_default();
        if items(&deployments["items"]).iter().any(|d| d["metadata"]["labels"]["app"] == "istiod") {
            return Ok(());
        }
        let all = Place::all("", "v1", "configmaps");
        let maps = read(self.client, &all).await?.unwrap_or_default();
        let roots = items(&maps["items"])
            .iter()
            .filter(|map| ISTIODS.contains(&meta(map, "name")) && map["metadata"]["labels"]["istio.io/config"] == "true");
        let mut going = Vec::new();
        for map in roots {
            let place = all.within(meta(map, "namespace")).named(meta(map, "name"));
            let made = Made { place, kind: "ConfigMap".into(), uid: meta(map, "uid").into(), body: Value::Null };
            if self.delete(&made, swept).await? {
                going.push(made);
            }
        }
        self.wait_gone(going, swept).await
    }

    /// What it goes by.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// ConfigMaps that istiod puts into every namespace: its root certificate, and since 1.31 the list of what was revoked (S:
/// pilot/pkg/features/experimental.go, PILOT_CRL_CONFIGMAP).
const ISTIODS: [&str; 2] = ["istio-ca-root-cert", "istio-ca-crl"];
/// What it keeps for itself, and the locks of its leaders (S: pilot/pkg/leaderelection/leaderelection.go).
const ISTIODS_OWN: [&str; 10] = [
    "istio-ca-secret",
    "istio-leader",
    "istio-gateway-status-leader",
    "istio-status-leader",
    "istio-analyze-leader",
    "istio-namespace-controller-election",
    "istio-clustertrustbundle-controller-election",
    "istio-serviceexport-controller-election",
    "istio-gateway-deployment",
    "istio-ip-autoallocate",
];

/// Objects that are in a namespace without anybody having put them there.
pub fn comes_by_itself(kind: &Place, item: &Value) -> bool {
    let owned = !items(&item["metadata"]["ownerReferences"]).is_empty();
    let name = meta(item, "name");
    owned
        || match (kind.group.as_str(), kind.plural.as_str()) {
            ("" | "events.k8s.io", "events") | ("", "endpoints") | ("discovery.k8s.io", "endpointslices") => true,
            ("metrics.k8s.io", _) | ("coordination.k8s.io", "leases") => true,
            ("", "serviceaccounts") => name == "default",
            ("", "configmaps") => name == "kube-root-ca.crt" || ISTIODS.contains(&name) || ISTIODS_OWN.contains(&name),
            ("", "secrets") => ISTIODS_OWN.contains(&name) || item["type"] == "kubernetes.io/service-account-token",
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_comes_by_itself_keeps_no_namespace() {
        let maps = Place::all("", "v1", "configmaps").within("lab-control");
        let named = |name: &str| comes_by_itself(&maps, &json!({"metadata": {"name": name, "namespace": "lab-control"}}));
        for name in ["kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl", "istio-ip-autoallocate"] {
            assert!(named(name), "{name}");
        }
        assert!(!named("settings") && !named("istio") && !named("istio-ca-crl-of-mine"));
        let owned = json!({"metadata": {"name": "settings", "ownerReferences": [{"kind": "Deployment", "name": "web"}]}});
        assert!(comes_by_itself(&maps, &owned));
        let secrets = Place::all("", "v1", "secrets").within("default");
        assert!(!comes_by_itself(&secrets, &json!({"metadata": {"name": "door"}, "type": "Opaque"})));
    }
}
