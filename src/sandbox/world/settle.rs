//! Running the controllers until they rest.

use crate::base::clock::Time;
use crate::sandbox::node::Env;
use crate::sandbox::world::{Hand, World};
use crate::sandbox::{Action, Pace};

/// After so many rounds without rest the write ends in an error that names the last controller that acted.
const ROUND_LIMIT: usize = 1_000;

impl World {
    /// Runs controllers and node in table order until nobody has an action; in an instant world also fires transitions in due
    /// order until none is left.
    pub(super) fn settle(&mut self) {
        let mut failed = super::act::Failures::default();
        let mut last = "";
        for _ in 0..ROUND_LIMIT {
            let acted = self.round(&mut failed);
            if let Some(name) = acted {
                last = name;
                continue;
            }
            match self.next_transition() {
                Some(due) if self.pace == Pace::Instant || due <= self.now => {
                    if self.pace != Pace::Frozen {
                        self.now = self.now.max(due);
                        failed = super::act::Failures::default();
                        continue;
                    }
                    return;
                }
                _ => return,
            }
        }
        self.trouble = Some(format!("the controllers did not come to rest after {ROUND_LIMIT} rounds, last acted: {last}"));
    }

    /// One round; gives the name of the last controller that changed something.
    fn round(&mut self, failed: &mut super::act::Failures) -> Option<&'static str> {
        let mut acted = None;
        for i in 0..self.controllers.len() {
            if self.has_rested(i) {
                continue;
            }
            let controller = self.controllers[i].clone();
            let version = self.store.version();
            let actions = controller.reconcile(self.store.snapshot(), self.now);
            let idle = actions.iter().all(|action| matches!(action, Action::Wake(_) | Action::Alarm(_)));
            self.rested[i] = idle.then_some(version);
            (self.wakes[i], self.alarms[i]) = (None, None);
            if self.act_all(actions, Some(i), failed) {
                acted = Some(controller.name());
            }
        }
        let actions = self.with_node(|node, env| node.reconcile(env));
        if self.act_all(actions, None, failed) {
            acted = Some("node");
        }
        acted
    }

    /// Whether a controller had nothing to do and nothing that it watches has changed since.
    fn has_rested(&mut self, i: usize) -> bool {
        let Some(version) = self.rested[i] else { return false };
        let due = |moment: Option<Time>| moment.is_some_and(|due| due <= self.now);
        if due(self.wakes[i]) || due(self.alarms[i]) {
            return false;
        }
        let controller = &self.controllers[i];
        let rested = self.store.since(version).is_some_and(|mut changes| !changes.any(|change| controller.concerns(change)));
        if rested {
            // What has been looked at is not looked at again.
            self.rested[i] = Some(self.store.version());
        }
        rested
    }

    fn act_all(&mut self, actions: Vec<Action>, controller: Option<usize>, failed: &mut super::act::Failures) -> bool {
        let mut changed = false;
        let mut refused = false;
        let component = controller.map_or("kubelet", |i| self.controllers[i].component());
        for action in actions {
            match action {
                Action::Wake(at) | Action::Alarm(at) => {
                    if let Some(i) = controller
                        && at > self.now
                    {
                        let moments = if matches!(action, Action::Wake(_)) { &mut self.wakes } else { &mut self.alarms };
                        moments[i] = Some(moments[i].map_or(at, |other| other.min(at)));
                    }
                }
                // What would have been reported did not happen.
                Action::Event { .. } if refused => (),
                action => {
                    let before = self.store.version();
                    let is_event = matches!(action, Action::Event { .. });
                    refused = self.act(action, component, failed).is_err();
                    if self.store.version() != before {
                        let name = controller.map_or("kubelet", |i| self.controllers[i].name());
                        self.signatures.sign(self.view.store.version(), Hand::Component(name.into()));
                    }
                    changed |= self.store.version() != before && !is_event;
                }
            }
        }
        changed
    }

    /// Lends the node what it works with.
    pub(super) fn with_node<T>(&mut self, f: impl FnOnce(&mut crate::sandbox::node::Node, &mut Env<'_>) -> T) -> T {
        let mut env = Env {
            state: self.view.store.snapshot(),
            now: &mut self.view.now,
            dataplane: &mut *self.dataplane,
            programs: &self.programs,
            exchanges: &mut self.exchanges,
        };
        f(&mut self.node, &mut env)
    }

    /// The next schedule or deadline of a controller: fires only when the clock passes it.
    pub(super) fn next_alarm(&self) -> Option<Time> {
        self.alarms.iter().flatten().copied().min()
    }

    /// The next transition that will fire, `None` in a frozen world.
    pub(super) fn next_transition(&self) -> Option<Time> {
        match self.pace {
            Pace::Frozen => None,
            _ => self.wakes.iter().flatten().copied().chain(self.node.next_transition()).min(),
        }
    }
}
