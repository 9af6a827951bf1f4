//! A table as its log says it is: the fold of the actions.

use super::action::{Action, Add, MetaData, Protocol, Remove, Txn};
use std::collections::BTreeMap;

/// What the actions up to a version come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What readers and writers must keep to.
    pub protocol: Option<Protocol>,
    /// What the table is.
    pub meta_data: Option<MetaData>,
    /// How far each application has come.
    pub txns: BTreeMap<String, Txn>,
    /// The files of the table, by path.
    pub adds: BTreeMap<String, Add>,
    /// The files that no longer belong to it and may not be deleted yet, by path.
    pub removes: BTreeMap<String, Remove>,
}

impl State {
    /// Folds an action in.
    pub fn apply(&mut self, action: Action) {
        let Action { commit_info: _, protocol, meta_data, txn, add, remove } = action;
        if let Some(protocol) = protocol {
            self.protocol = Some(protocol);
        }
        if let Some(meta_data) = meta_data {
            self.meta_data = Some(meta_data);
        }
        if let Some(txn) = txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(remove) = remove {
            self.adds.remove(&remove.path);
            self.removes.insert(remove.path.clone(), remove);
        }
        if let Some(add) = add {
            self.removes.remove(&add.path);
            self.adds.insert(add.path.clone(), add);
        }
    }

    /// The actions that come to this state.
    pub fn actions(&self) -> Vec<Action> {
        let State { protocol, meta_data, txns, adds, removes } = self;
        let mut actions: Vec<Action> = protocol.iter().cloned().map(Action::from).collect();
        actions.extend(meta_data.iter().cloned().map(Action::from));
        actions.extend(txns.values().cloned().map(Action::from));
        actions.extend(removes.values().cloned().map(Action::from));
        actions.extend(adds.values().cloned().map(Action::from));
        actions
    }
}
