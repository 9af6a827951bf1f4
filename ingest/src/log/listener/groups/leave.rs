//! Members that leave by themselves, or are sent away by an operator. Not for those that are silent.

use super::{Group, Groups};
use crate::log::listener::{ListenerConfig, error_code};
use crate::log::lock;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// The first version that names several members.
const SEVERAL: i16 = 3;

impl Groups {
    /// Members go.
    pub fn leave(&self, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let group = state.groups.get_mut(request.group_id.as_str());
        if version < SEVERAL {
            let left = group.map_or(error_code::UNKNOWN_MEMBER_ID, |group| {
                group.leave(&request.member_id, None, now, &self.config)
            });
            return LeaveGroupResponse::default().with_error_code(left);
        }
        let Some(group) = group else {
            return LeaveGroupResponse::default().with_error_code(error_code::UNKNOWN_MEMBER_ID);
        };
        let mut named = BTreeSet::new();
        let members = request
            .members
            .into_iter()
            .filter(|one| named.insert((one.member_id.clone(), one.group_instance_id.clone())));
        let left = members.map(|one| {
            let code = group.leave(&one.member_id, one.group_instance_id.as_ref(), now, &self.config);
            MemberResponse::default()
                .with_member_id(one.member_id)
                .with_group_instance_id(one.group_instance_id)
                .with_error_code(code)
        });
        LeaveGroupResponse::default().with_members(left.collect())
    }
}

impl Group {
    fn leave(&mut self, id: &StrBytes, instance: Option<&StrBytes>, now: Instant, config: &ListenerConfig) -> i16 {
        // An operator that sends a static member away need not know the name that it was given.
        let id = match instance.map(|instance| self.holder(instance)) {
            Some(None) => return error_code::UNKNOWN_MEMBER_ID,
            Some(Some(holder)) if !id.is_empty() && holder != id.as_str() => return error_code::FENCED_INSTANCE_ID,
            Some(Some(holder)) => holder.clone(),
            None => id.to_string(),
        };
        if self.promised.remove(&id).is_some() {
            return error_code::NONE;
        }
        let left = self.members.remove(&id).is_some();
        self.lost(left, now, config);
        if left { error_code::NONE } else { error_code::UNKNOWN_MEMBER_ID }
    }
}
