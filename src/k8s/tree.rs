//! A sorted map whose copies share what they have in common: copying costs nothing, a write after a copy costs the path to its place.
//! A B-tree of shared nodes.

use std::cmp::Ordering;
use std::sync::Arc;

/// Entries of a node; a fuller one is split.
const FULL: usize = 32;

/// The map.
#[derive(Debug, Clone)]
pub struct Tree<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Debug, Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// Children with a lower bound of their keys; that of the first child is not looked at.
    Branch(Vec<(K, Arc<Node<K, V>>)>),
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Tree<K, V> {
        Tree { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether both are copies of one tree that nobody has written to since. May say no of equal ones.
    pub fn is_copy_of(&self, other: &Tree<K, V>) -> bool {
        Arc::ptr_eq(&self.root, &other.root)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key, found by how a key compares with the one that is meant.
    pub fn find(&self, order: impl Fn(&K) -> Ordering) -> Option<&V> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Branch(children) => node = &children[child(children, &order)].1,
                Node::Leaf(entries) => return entries.binary_search_by(|(k, _)| order(k)).ok().map(|at| &entries[at].1),
            }
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(|k| k.cmp(key))
    }

    /// Sets the value of a key; gives the old one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (old, split) = insert(&mut self.root, key, value);
        self.len += usize::from(old.is_none());
        if let Some((bound, right)) = split {
            // The first bound is never looked at: any key will do.
            let left = self.root.clone();
            self.root = Arc::new(Node::Branch(vec![(bound.clone(), left), (bound, right)]));
        }
        old
    }

    /// Takes out an entry, found as [`Tree::find`] finds it.
    pub fn remove(&mut self, order: impl Fn(&K) -> Ordering) -> Option<V> {
        self.find(&order)?;
        let old = remove(Arc::make_mut(&mut self.root), &order)?;
        self.len -= 1;
        while let Node::Branch(children) = &*self.root
            && children.len() <= 1
        {
            self.root = children.first().map(|(_, only)| only.clone()).unwrap_or_else(|| Tree::default().root);
        }
        Some(old)
    }

    /// All entries, by key.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.starting(|_| Ordering::Greater)
    }

    /// The entries from the first one whose key does not compare as less.
    pub fn starting(&self, order: impl Fn(&K) -> Ordering) -> Iter<'_, K, V> {
        let mut stack = Vec::new();
        let mut node = &*self.root;
        loop {
            match node {
                Node::Branch(children) => {
                    let at = child(children, &order);
                    stack.push((node, at + 1));
                    node = &children[at].1;
                }
                Node::Leaf(entries) => {
                    stack.push((node, entries.partition_point(|(k, _)| order(k) == Ordering::Less)));
                    return Iter { stack };
                }
            }
        }
    }

    /// The first entry.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Branch(children) => node = &children.last()?.1,
                Node::Leaf(entries) => return entries.last().map(|(k, v)| (k, v)),
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Tree<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Tree<K, V> {
        let mut tree = Tree::default();
        entries.into_iter().for_each(|(k, v)| drop(tree.insert(k, v)));
        tree
    }
}

/// The child in which a key is, if it is anywhere.
fn child<K, V>(children: &[(K, Arc<Node<K, V>>)], order: &impl Fn(&K) -> Ordering) -> usize {
    children[1..].partition_point(|(bound, _)| order(bound) != Ordering::Greater)
}

type Split<K, V> = Option<(K, Arc<Node<K, V>>)>;

fn insert<K: Ord + Clone, V: Clone>(node: &mut Arc<Node<K, V>>, key: K, value: V) -> (Option<V>, Split<K, V>) {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
            Err(at) => {
                entries.insert(at, (key, value));
                let split = halve(entries, at).map(|right| (right[0].0.clone(), Arc::new(Node::Leaf(right))));
                (None, split)
            }
        },
        Node::Branch(children) => {
            let at = child(children, &|bound: &K| bound.cmp(&key));
            let (old, split) = insert(&mut children[at].1, key, value);
            let Some(new) = split else { return (old, None) };
            children.insert(at + 1, new);
            let split = halve(children, at + 1).map(|right| (right[0].0.clone(), Arc::new(Node::Branch(right))));
            (old, split)
        }
    }
}

/// The right part of a node that is too full. Keys that come in order leave full nodes behind.
fn halve<T>(entries: &mut Vec<T>, at: usize) -> Option<Vec<T>> {
    let appended = at + 1 == entries.len();
    (entries.len() > FULL).then(|| entries.split_off(if appended { FULL - 1 } else { FULL / 2 }))
}

fn remove<K: Ord + Clone, V: Clone>(node: &mut Node<K, V>, order: &impl Fn(&K) -> Ordering) -> Option<V> {
    match node {
        Node::Leaf(entries) => {
            let at = entries.binary_search_by(|(k, _)| order(k)).ok()?;
            Some(entries.remove(at).1)
        }
        Node::Branch(children) => {
            let at = child(children, order);
            let old = remove(Arc::make_mut(&mut children[at].1), order);
            if children[at].1.size() == 0 {
                children.remove(at);
            } else if at + 1 < children.len() && children[at].1.size() + children[at + 1].1.size() <= FULL / 2 {
                let (bound, right) = children.remove(at + 1);
                Arc::make_mut(&mut children[at].1).join(bound, Arc::unwrap_or_clone(right));
            }
            old
        }
    }
}

impl<K, V> Node<K, V> {
    fn size(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Branch(children) => children.len(),
        }
    }

    /// Takes over the entries of the node to the right, which is of the same height.
    fn join(&mut self, bound: K, right: Node<K, V>) {
        match (self, right) {
            (Node::Leaf(entries), Node::Leaf(more)) => entries.extend(more),
            (Node::Branch(children), Node::Branch(mut more)) => {
                // Its first bound was not looked at so far, and may be too high.
                if let Some(first) = more.first_mut() {
                    first.0 = bound;
                }
                children.extend(more);
            }
            // Leaves are all at one height.
            _ => (),
        }
    }
}

/// Entries in order. See [`Tree::iter`].
pub struct Iter<'a, K, V> {
    /// Nodes on the way, with the next place in each.
    stack: Vec<(&'a Node<K, V>, usize)>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        loop {
            let (node, at) = self.stack.last_mut()?;
            let (node, here) = (*node, *at);
            *at += 1;
            match node {
                Node::Leaf(entries) => match entries.get(here) {
                    Some((key, value)) => return Some((key, value)),
                    None => drop(self.stack.pop()),
                },
                Node::Branch(children) => match children.get(here) {
                    Some((_, below)) => self.stack.push((below, 0)),
                    None => drop(self.stack.pop()),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn copies_do_not_see_later_writes() {
        let mut tree: Tree<u32, u32> = (0..1_000).map(|n| (n * 2, n)).collect();
        let copy = tree.clone();
        tree.insert(1, 7);
        tree.remove(|k| k.cmp(&4));
        assert_eq!((tree.len(), copy.len()), (1_000, 1_000));
        assert_eq!((copy.get(&1), copy.get(&4), tree.get(&1), tree.get(&4)), (None, Some(&2), Some(&7), None));
        assert_eq!((copy.first(), copy.last()), (Some((&0, &0)), Some((&1_998, &999))));
        assert_eq!(copy.starting(|k| k.cmp(&1_995)).map(|(k, _)| *k).collect::<Vec<_>>(), [1_996, 1_998]);
    }

    #[test]
    fn a_queue_stays_small() {
        let mut tree = Tree::default();
        for n in 0..20_000_u64 {
            tree.insert(n, n);
            if n >= 100 {
                assert_eq!(tree.remove(|k| k.cmp(&(n - 100))), Some(n - 100));
            }
        }
        assert_eq!(tree.iter().map(|(k, _)| *k).collect::<Vec<_>>(), (19_900..20_000).collect::<Vec<_>>());
        assert!(nodes(&tree.root) < 20, "{}", nodes(&tree.root));
    }

    fn nodes<K, V>(node: &Node<K, V>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Branch(children) => 1 + children.iter().map(|(_, below)| nodes(below)).sum::<usize>(),
        }
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in proptest::collection::vec((any::<bool>(), 0_u16..600, any::<u8>()), 0..3_000), from in 0_u16..600) {
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            for (put, key, value) in steps {
                match put {
                    true => prop_assert_eq!(tree.insert(key, value), model.insert(key, value)),
                    false => prop_assert_eq!(tree.remove(|k: &u16| k.cmp(&key)), model.remove(&key)),
                }
            }
            prop_assert_eq!(tree.len(), model.len());
            prop_assert!(tree.iter().eq(model.iter()));
            prop_assert!(tree.starting(|k| k.cmp(&from)).eq(model.range(from..)));
            prop_assert!(model.iter().all(|(k, v)| tree.get(k) == Some(v)));
        }
    }
}
