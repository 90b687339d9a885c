//! The resource browser as values: kinds, tables, texts about objects.

/// A kind that the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindRow {
    /// As kubectl takes it: `serviceentries.networking.istio.io`, `pods`.
    pub resource: String,
    pub short: String,
    pub kind: String,
    pub namespaced: bool,
    /// How many there are, where that can be told.
    pub count: Option<usize>,
}

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// As kubectl takes it.
    pub resource: String,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// As of this revision; `None`: now.
    pub at: Option<u64>,
}

/// An object of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOf {
    /// "" for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
    /// As kubectl prints it.
    pub text: String,
}

/// A table as kubectl prints it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub header: String,
    pub rows: Vec<RowOf>,
    /// What kubectl says beside it (`No resources found`, a refusal).
    pub said: String,
}

/// What of an object is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    Describe,
    Yaml,
    Events,
    /// A container's log; "" lets kubectl choose.
    Logs {
        container: String,
        previous: bool,
    },
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub resource: String,
    /// "" for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
    pub at: Option<u64>,
}

/// A text about an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    pub lines: Vec<String>,
    /// What kubectl says beside it.
    pub said: String,
    /// The containers of a pod, where logs are asked for.
    pub containers: Vec<String>,
}
