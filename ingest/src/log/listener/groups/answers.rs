//! Groups as they are reported to others. Not for changing them.

use super::{Group, Groups, Phase};
use crate::log::listener::offsets::subscribed;
use crate::log::listener::{ListenerShared, error_code};
use crate::log::lock;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, JoinGroupResponse, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// The only kind of group that there is.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

impl Group {
    /// The answer to a member when the generation is complete; the leader's has all members.
    pub(super) fn joined(&self, id: &str) -> JoinGroupResponse {
        let member = |(id, member): (&String, &super::Member)| {
            JoinGroupResponseMember::default()
                .with_member_id(StrBytes::from_string(id.clone()))
                .with_group_instance_id(member.instance.clone())
                .with_metadata(member.metadata(&self.protocol).cloned().unwrap_or_default())
        };
        let members = if self.leader == id { self.members.iter().map(member).collect() } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(Some(self.protocol_type.clone()))
            .with_protocol_name(Some(self.protocol.clone()))
            .with_leader(StrBytes::from_string(self.leader.clone()))
            .with_member_id(StrBytes::from_string(id.to_owned()))
            .with_members(members)
    }

    const fn state(&self) -> &'static str {
        match self.phase {
            Phase::Empty => "Empty",
            Phase::Joining { .. } => "PreparingRebalance",
            Phase::Sharing { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }
}

impl Groups {
    /// The topics that members of a group read; an error if they are no consumers, or do not name them.
    pub fn topics(&self, group: &str) -> Result<BTreeSet<String>, ()> {
        let state = lock(&self.state);
        let Some(group) = state.groups.get(group) else { return Ok(BTreeSet::new()) };
        if !group.members.is_empty() && group.protocol_type.as_str() != CONSUMER {
            return Err(());
        }
        let mut topics = BTreeSet::new();
        for (_, metadata) in group.members.values().flat_map(|member| &member.protocols) {
            topics.extend(subscribed(metadata.clone()).ok_or(())?);
        }
        Ok(topics)
    }

    fn described(&self, id: &GroupId) -> Option<DescribedGroup> {
        let state = lock(&self.state);
        let group = state.groups.get(id.as_str())?;
        let member = |(id, member): (&String, &super::Member)| {
            DescribedGroupMember::default()
                .with_member_id(StrBytes::from_string(id.clone()))
                .with_group_instance_id(member.instance.clone())
                .with_client_id(StrBytes::from_string(member.client.clone()))
                .with_client_host(StrBytes::from_string(member.host.clone()))
                .with_member_metadata(member.metadata(&group.protocol).cloned().unwrap_or_default())
                .with_member_assignment(member.assignment.clone())
        };
        let described = DescribedGroup::default()
            .with_group_id(id.clone())
            .with_group_state(StrBytes::from_static_str(group.state()))
            .with_protocol_type(group.protocol_type.clone())
            .with_protocol_data(group.protocol.clone())
            .with_members(group.members.iter().map(member).collect());
        Some(described)
    }
}

impl ListenerShared {
    pub(in crate::log::listener) fn describe_groups(&self, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
        let described = |id: GroupId| {
            self.groups.described(&id).unwrap_or_else(|| {
                // A group that has only committed has no members.
                let state = if self.offsets.knows(&id) { "Empty" } else { "Dead" };
                DescribedGroup::default().with_group_id(id).with_group_state(StrBytes::from_static_str(state))
            })
        };
        let named: BTreeSet<GroupId> = request.groups.into_iter().collect();
        DescribeGroupsResponse::default().with_groups(named.into_iter().map(described).collect())
    }

    pub(in crate::log::listener) fn list_groups(&self, request: ListGroupsRequest) -> ListGroupsResponse {
        let mut all: BTreeMap<String, (&'static str, StrBytes)> = BTreeMap::new();
        for group in self.offsets.groups() {
            all.insert(group, ("Empty", StrBytes::from_static_str(CONSUMER)));
        }
        for (name, group) in &lock(&self.groups.state).groups {
            all.insert(name.clone(), (group.state(), group.protocol_type.clone()));
        }
        let is_asked = |asked: &[StrBytes], value: &str| {
            asked.is_empty() || asked.iter().any(|asked| asked.eq_ignore_ascii_case(value))
        };
        let listed = all.into_iter().filter(|(_, (state, _))| {
            is_asked(&request.states_filter, state) && is_asked(&request.types_filter, CLASSIC)
        });
        let listed = listed.map(|(name, (state, protocol_type))| {
            ListedGroup::default()
                .with_group_id(GroupId(StrBytes::from_string(name)))
                .with_protocol_type(protocol_type)
                .with_group_state(StrBytes::from_static_str(state))
                .with_group_type(StrBytes::from_static_str(CLASSIC))
        });
        ListGroupsResponse::default().with_error_code(error_code::NONE).with_groups(listed.collect())
    }
}
