//! The board on which committed states are posted: reads and watches take them from here and never wait for the world's task.

use crate::k8s::{Key, Kind};
use crate::sandbox::api::watch::Interest;
use crate::sandbox::world::View;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;

/// The newest committed state, and who waits for the next one that concerns them.
pub struct Board {
    view: RwLock<View>,
    waiting: Mutex<Waiting>,
}

/// Those who wait, by what they wait for: a commit wakes whom it concerns and looks at nobody else.
#[derive(Default)]
struct Waiting {
    next: u64,
    everything: Group,
    kinds: BTreeMap<Kind, OfKind>,
}

#[derive(Default)]
struct OfKind {
    all: Group,
    /// By namespace and name; "" stands for any.
    places: BTreeMap<(String, String), Group>,
}

type Group = BTreeMap<u64, Arc<Notify>>;

impl Board {
    /// A board with a first state.
    pub fn new(view: View) -> Arc<Board> {
        Arc::new(Board { view: RwLock::new(view), waiting: Mutex::default() })
    }

    /// The newest committed state.
    pub fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Posts a new state and wakes those whom its changes concern.
    pub fn post(&self, view: View) {
        let before = self.view.read().unwrap_or_else(PoisonError::into_inner).revision();
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        let waiting = self.waiting();
        wake(&waiting.everything);
        match view.changes_since(before) {
            _ if waiting.kinds.is_empty() => (),
            Some(changes) => changes.for_each(|change| waiting.changed(&change.key)),
            // So much at once that it is not known any more: everybody looks.
            None => waiting.kinds.values().flat_map(|of| of.places.values().chain([&of.all])).for_each(wake),
        }
    }

    /// Begins to wait for changes. Whoever looks at [`Board::view`] after this misses none.
    pub fn wait_for(self: &Arc<Board>, interest: Interest) -> Waiter {
        let mut waiting = self.waiting();
        waiting.next += 1;
        let (id, news) = (waiting.next, Arc::new(Notify::new()));
        waiting.group(&interest).insert(id, news.clone());
        Waiter { board: self.clone(), interest, id, news }
    }

    /// How many wait.
    #[cfg(test)]
    fn waiters(&self) -> usize {
        let waiting = self.waiting();
        let of = |of: &OfKind| of.all.len() + of.places.values().map(Group::len).sum::<usize>();
        waiting.everything.len() + waiting.kinds.values().map(of).sum::<usize>()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn group(&mut self, interest: &Interest) -> &mut Group {
        let Some(kind) = &interest.kind else { return &mut self.everything };
        let of = self.kinds.entry(kind.clone()).or_default();
        match (interest.namespace.as_str(), interest.name.as_str()) {
            ("", "") => &mut of.all,
            (namespace, name) => of.places.entry((namespace.into(), name.into())).or_default(),
        }
    }

    fn leave(&mut self, interest: &Interest, id: u64) {
        self.group(interest).remove(&id);
        let Some(kind) = &interest.kind else { return };
        let Some(of) = self.kinds.get_mut(kind) else { return };
        let place = (interest.namespace.clone(), interest.name.clone());
        if of.places.get(&place).is_some_and(Group::is_empty) {
            of.places.remove(&place);
        }
        if of.all.is_empty() && of.places.is_empty() {
            self.kinds.remove(kind);
        }
    }

    fn changed(&self, key: &Key) {
        let Some(of) = self.kinds.get(&key.kind) else { return };
        wake(&of.all);
        if of.places.is_empty() {
            return;
        }
        for (namespace, name) in [(&*key.namespace, ""), (&*key.namespace, &*key.name), ("", &*key.name)] {
            let whole = !namespace.is_empty() || !name.is_empty();
            if let Some(group) = of.places.get(&(namespace.to_string(), name.to_string())).filter(|_| whole) {
                wake(group);
            }
        }
    }
}

fn wake(group: &Group) {
    group.values().for_each(|news| news.notify_one());
}

/// One who waits; leaves when dropped.
pub struct Waiter {
    board: Arc<Board>,
    interest: Interest,
    id: u64,
    news: Arc<Notify>,
}

impl Waiter {
    /// Returns once something has changed since the last return.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.board.waiting().leave(&self.interest, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::api;
    use crate::sandbox::call::{Call, StreamOutput};
    use crate::sandbox::world::tests::world;
    use futures::FutureExt;
    use serde_json::json;

    fn interest(kind: &str, namespace: &str, name: &str) -> Interest {
        Interest { kind: Some(Kind::new("", kind)), namespace: namespace.into(), name: name.into() }
    }

    fn woken(waiter: &Waiter) -> bool {
        waiter.news().now_or_never().is_some()
    }

    #[test]
    fn a_commit_wakes_those_whom_it_concerns_and_nobody_else() {
        let mut world = world();
        let board = Board::new(world.view().clone());
        let places = [("ConfigMap", "", ""), ("ConfigMap", "default", ""), ("ConfigMap", "default", "a"), ("ConfigMap", "", "a")];
        let concerned: Vec<Waiter> = places.iter().map(|(k, ns, n)| board.wait_for(interest(k, ns, n))).collect();
        let everything = board.wait_for(Interest::default());
        let places = [("Pod", "", ""), ("ConfigMap", "kube-system", ""), ("ConfigMap", "default", "b"), ("ConfigMap", "", "b")];
        let others: Vec<Waiter> = places.iter().map(|(k, ns, n)| board.wait_for(interest(k, ns, n))).collect();
        world.handle(&Call::new("POST", "/api/v1/namespaces/default/configmaps").json(&json!({"metadata": {"name": "a"}})));
        board.post(world.view().clone());
        assert!(concerned.iter().chain([&everything]).all(woken));
        assert!(!others.iter().chain(&concerned).any(woken));
        drop((concerned, everything, others));
        assert_eq!(board.waiters(), 0);
        assert!(board.waiting().kinds.is_empty(), "who left leaves nothing behind");
    }

    #[test]
    fn ten_thousand_watches_cost_nothing_while_nothing_concerns_them() {
        let mut world = world();
        let board = Board::new(world.view().clone());
        let open = |n: usize| {
            let target =
                format!("/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=1&fieldSelector=metadata.name%3Dm{n}");
            api::watch(&board.view(), &Call::new("GET", &target)).expect("opens")
        };
        let mut watches: Vec<_> = (0..10_000)
            .map(|n| {
                let watch = open(n);
                let waiter = board.wait_for(watch.interest(&board.view()));
                (watch, waiter)
            })
            .collect();
        for n in 0..100 {
            let body = json!({"metadata": {"name": format!("m{}", n * 100)}});
            world.handle(&Call::new("POST", "/api/v1/namespaces/default/configmaps").json(&body));
            board.post(world.view().clone());
        }
        let view = board.view();
        let mut heard = 0;
        for (n, (watch, waiter)) in watches.iter_mut().enumerate() {
            let woken = woken(waiter);
            assert_eq!(woken, n % 100 == 0, "{n}");
            if woken {
                let StreamOutput::Body(bytes) = watch.poll(&view) else { panic!("{n}: nothing") };
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert!(text.lines().count() == 1 && text.contains(&format!("\"name\":\"m{n}\"")), "{text}");
                heard += 1;
            }
        }
        assert_eq!((heard, board.waiters()), (100, 10_000));
    }
}
