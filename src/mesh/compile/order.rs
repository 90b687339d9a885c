//! Things in the order in which they apply. Copies share what they have in common, so that a change of one costs the way to its place.

use super::destination::DestinationRule;
use super::gateway::Gateway;
use super::registry::{From, Service};
use super::rules::VirtualService;
use crate::k8s::tree::{Iter, Tree};
use std::cmp::Ordering;
use std::sync::Arc;

/// A place: see [`Placed`].
pub type Spot<'a> = (u8, &'a str, &'a str, &'a str, &'a str, usize);

/// What has a place among its like: a group, then up to four texts (creation first), then a number.
pub trait Placed {
    fn place(&self) -> Spot<'_>;
}

impl Placed for Service {
    /// Kubernetes first, each kind by creation.
    fn place(&self) -> Spot<'_> {
        match self.from {
            From::Kubernetes => (0, &self.created, &self.namespace, &self.host, &self.object, self.nth),
            From::Entry => (1, &self.created, &self.object, "", "", self.nth),
        }
    }
}

impl Placed for VirtualService {
    fn place(&self) -> Spot<'_> {
        (0, &self.created, &self.name, &self.namespace, &self.object, 0)
    }
}

impl Placed for DestinationRule {
    fn place(&self) -> Spot<'_> {
        (0, &self.created, &self.object, "", "", 0)
    }
}

impl Placed for Gateway {
    fn place(&self) -> Spot<'_> {
        (0, &self.created, &self.name, &self.namespace, &self.object, 0)
    }
}

/// An item in its place; of several in one place the later ones have a number.
#[derive(Debug)]
pub struct Seat<T>(pub Arc<T>, usize);

impl<T> Seat<T> {
    /// An item that is alone in its place.
    pub fn first(item: &Arc<T>) -> Seat<T> {
        Seat(item.clone(), 0)
    }
}

impl<T> Clone for Seat<T> {
    fn clone(&self) -> Seat<T> {
        Seat(self.0.clone(), self.1)
    }
}

impl<T: Placed> Ord for Seat<T> {
    fn cmp(&self, other: &Seat<T>) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return self.1.cmp(&other.1);
        }
        self.0.place().cmp(&other.0.place()).then(self.1.cmp(&other.1))
    }
}

impl<T: Placed> PartialOrd for Seat<T> {
    fn partial_cmp(&self, other: &Seat<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Placed> PartialEq for Seat<T> {
    fn eq(&self, other: &Seat<T>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Placed> Eq for Seat<T> {}

/// A sorted list.
#[derive(Debug)]
pub struct Ordered<T> {
    seats: Tree<Seat<T>, ()>,
}

impl<T> Clone for Ordered<T> {
    fn clone(&self) -> Ordered<T> {
        Ordered { seats: self.seats.clone() }
    }
}

impl<T> Default for Ordered<T> {
    fn default() -> Ordered<T> {
        Ordered { seats: Tree::default() }
    }
}

impl<T: Placed> Ordered<T> {
    /// Adds an item after those of the same place.
    pub fn add(&mut self, item: Arc<T>) {
        let mut seat = Seat(item, 0);
        while self.seats.get(&seat).is_some() {
            seat.1 += 1;
        }
        self.seats.insert(seat, ());
    }

    /// Takes out the item, whichever of several in its place it is.
    pub fn remove(&mut self, item: &Arc<T>) {
        let place = item.place();
        let seats = self.seats.starting(|seat| seat.0.place().cmp(&place));
        let mut found = seats.map(|(seat, ())| seat).take_while(|seat| seat.0.place() == place);
        if let Some(seat) = found.find(|seat| Arc::ptr_eq(&seat.0, item)).cloned() {
            self.seats.remove(|there| there.cmp(&seat));
        }
    }

    /// The item in the place of another one.
    pub fn find(&self, like: &T) -> Option<&Arc<T>> {
        let place = like.place();
        let (seat, ()) = self.seats.starting(|seat| seat.0.place().cmp(&place)).next()?;
        (seat.0.place() == place).then_some(&seat.0)
    }

    /// All items, in order.
    pub fn iter(&self) -> Items<'_, T> {
        Items { seats: self.seats.iter() }
    }

    pub fn len(&self) -> usize {
        self.seats.len()
    }

    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub fn first(&self) -> Option<&Arc<T>> {
        self.iter().next()
    }
}

impl<T: Placed> FromIterator<Arc<T>> for Ordered<T> {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(items: I) -> Ordered<T> {
        let mut sorted: Vec<Arc<T>> = items.into_iter().collect();
        sorted.sort_by(|a, b| a.place().cmp(&b.place()));
        let mut list = Ordered::default();
        let mut last: Option<Seat<T>> = None;
        for item in sorted {
            let extra = last.filter(|seat| seat.0.place() == item.place()).map_or(0, |seat| seat.1 + 1);
            let seat = Seat(item, extra);
            list.seats.insert(seat.clone(), ());
            last = Some(seat);
        }
        list
    }
}

impl<'a, T: Placed> IntoIterator for &'a Ordered<T> {
    type Item = &'a Arc<T>;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

/// See [`Ordered::iter`].
pub struct Items<'a, T> {
    seats: Iter<'a, Seat<T>, ()>,
}

impl<'a, T: Placed> Iterator for Items<'a, T> {
    type Item = &'a Arc<T>;

    fn next(&mut self) -> Option<&'a Arc<T>> {
        self.seats.next().map(|(seat, ())| &seat.0)
    }
}

/// Brings items that were found in no particular order into theirs, each once.
pub fn in_order<T: Placed>(mut found: Vec<&Arc<T>>) -> Vec<&Arc<T>> {
    found.sort_by(|a, b| a.place().cmp(&b.place()).then_with(|| Arc::as_ptr(a).cmp(&Arc::as_ptr(b))));
    found.dedup_by(|a, b| Arc::ptr_eq(a, b));
    found
}
