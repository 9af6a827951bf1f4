//! Consumer groups by the classic protocol: members, generations, shares. In memory: members join again after a
//! restart, as they do when a broker goes. A group without members is not kept here. Not for how far a group is: see
//! `offsets`.

mod answers;
mod entry;
mod leave;
mod member;

use super::budget::{Budget, BudgetReservation};
use super::config::ListenerConfig;
use super::error_code;
use super::offsets::Offsets;
use crate::log::lock;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use member::Member;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// All groups.
pub struct Groups {
    config: ListenerConfig,
    state: Mutex<State>,
    /// The bytes that members send of themselves and get.
    bytes: Budget,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Group>,
    /// The number of members' names that were given out.
    names: u64,
}

/// The phase of a group on its way to its next generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has no members.
    Empty,
    /// Members join, until all have or it is too late; not before the first of these times.
    Joining { not_before: Instant, until: Instant },
    /// The leader deals out the shares.
    Sharing { until: Instant },
    /// Every member has a share.
    Stable,
}

struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: StrBytes,
    protocol: StrBytes,
    leader: String,
    members: BTreeMap<String, Member>,
    /// The shares' part of the budget of members.
    shares: Option<BudgetReservation>,
    /// Names given to clients that must join once more with them, and until when they are good.
    promised: BTreeMap<String, Instant>,
}

impl Groups {
    /// No groups.
    pub fn new(config: ListenerConfig) -> Groups {
        let bytes = Budget::new(config.members_bytes_max);
        Groups { config, state: Mutex::default(), bytes }
    }

    /// Takes a member in, and answers when the group's next generation is complete.
    pub async fn join(
        &self,
        request: JoinGroupRequest,
        version: i16,
        (client, host): (String, String),
        offsets: &Offsets,
    ) -> JoinGroupResponse {
        let (answer, answered) = oneshot::channel();
        let id = request.member_id.clone();
        let member = Member::of(&request, client, host, &self.config);
        let refused = match member {
            Ok(member) => self.enter(&request, member, version, answer, offsets),
            Err(code) => Err((code, id)),
        };
        match refused {
            Err((code, member_id)) => refusal(code, member_id),
            // A member sent away without an answer was given up.
            Ok(()) => answered.await.unwrap_or_else(|_| refusal(error_code::UNKNOWN_MEMBER_ID, StrBytes::default())),
        }
    }

    /// Answers with a member's share, once the leader has dealt them out.
    pub async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let (answer, answered) = oneshot::channel();
        let refused = self.share(request, answer);
        if refused != error_code::NONE {
            return SyncGroupResponse::default().with_error_code(refused);
        }
        let gone = |_| SyncGroupResponse::default().with_error_code(error_code::REBALANCE_IN_PROGRESS);
        answered.await.unwrap_or_else(gone)
    }

    fn share(&self, request: SyncGroupRequest, answer: oneshot::Sender<SyncGroupResponse>) -> i16 {
        let mut state = lock(&self.state);
        let (instance, id) = (request.group_instance_id.as_deref(), request.member_id.as_str());
        let group = match state.member(&request.group_id, request.generation_id, id, instance) {
            Ok(group) => group,
            Err(code) => return code,
        };
        let is_other = |asked: &Option<StrBytes>, own: &StrBytes| asked.as_ref().is_some_and(|asked| asked != own);
        if is_other(&request.protocol_type, &group.protocol_type) || is_other(&request.protocol_name, &group.protocol) {
            return error_code::INCONSISTENT_GROUP_PROTOCOL;
        }
        let is_leader = group.leader == id;
        let (shares, bytes_max) = (request.assignments, self.config.member_bytes_max);
        if is_leader && shares.iter().any(|share| share.assignment.len() > bytes_max) {
            return error_code::INVALID_REQUEST;
        }
        match group.phase {
            Phase::Empty => return error_code::UNKNOWN_MEMBER_ID,
            Phase::Joining { .. } => return error_code::REBALANCE_IN_PROGRESS,
            Phase::Stable => {}
            Phase::Sharing { .. } => {
                if is_leader {
                    let Some(held) = self.bytes.try_hold(shares.iter().map(|share| share.assignment.len()).sum())
                    else {
                        return error_code::COORDINATOR_NOT_AVAILABLE;
                    };
                    group.shares = Some(held);
                }
                if let Some(member) = group.members.get_mut(id) {
                    member.syncing = Some(answer);
                }
                if is_leader {
                    let shares = shares.into_iter();
                    group.deal(shares.map(|share| (share.member_id.to_string(), share.assignment)).collect());
                }
                return error_code::NONE;
            }
        }
        drop(answer.send(group.shared(id)));
        error_code::NONE
    }

    /// A member is there.
    pub fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let mut state = lock(&self.state);
        let (instance, id) = (request.group_instance_id.as_deref(), request.member_id.as_str());
        let code = match state.member(&request.group_id, request.generation_id, id, instance) {
            Ok(group) if matches!(group.phase, Phase::Joining { .. }) => error_code::REBALANCE_IN_PROGRESS,
            Ok(_) => error_code::NONE,
            Err(code) => code,
        };
        HeartbeatResponse::default().with_error_code(code)
    }

    /// Checks that a member may commit for its group. A client that only keeps offsets here is in no generation.
    pub fn may_commit(&self, group: &str, generation: i32, member_id: &str, instance: Option<&str>) -> i16 {
        if group.is_empty() {
            return error_code::INVALID_GROUP_ID;
        }
        let mut state = lock(&self.state);
        let is_empty = state.groups.get(group).is_none_or(|group| group.members.is_empty());
        if generation < 0 && is_empty {
            return error_code::NONE;
        }
        match state.member(group, generation, member_id, instance) {
            Ok(group) if matches!(group.phase, Phase::Sharing { .. }) => error_code::REBALANCE_IN_PROGRESS,
            Ok(_) => error_code::NONE,
            Err(code) => code,
        }
    }

    /// Returns true if the group has members.
    pub fn is_live(&self, group: &str) -> bool {
        lock(&self.state).groups.get(group).is_some_and(|group| !group.members.is_empty())
    }

    /// Calls with the names of all groups that have members, or may get some; none comes or goes meanwhile.
    pub fn with_names<T>(&self, call: impl FnOnce(&mut dyn Iterator<Item = &String>) -> T) -> T {
        call(&mut lock(&self.state).groups.keys())
    }

    /// Drops members that were silent for too long, and continues without those that did not join again in time.
    pub fn expire(&self) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        for group in state.groups.values_mut() {
            group.promised.retain(|_, until| now < *until);
            let before = group.members.len();
            group.members.retain(|_, member| member.is_waiting() || now < member.seen + member.session);
            group.lost(group.members.len() < before, now, &self.config);
            if let Phase::Sharing { until } = group.phase
                && until <= now
            {
                // The leader does not deal out shares; members that wait for one join again.
                group.members.retain(|_, member| member.syncing.is_some());
                group.lost(true, now, &self.config);
            }
            group.go_on(now);
        }
        state.groups.retain(|_, group| !group.is_over());
    }
}

/// The answer with the reason why a member may not join, and its name.
fn refusal(code: i16, member_id: StrBytes) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(code)
        .with_member_id(member_id)
        .with_protocol_name(Some(StrBytes::default()))
}

impl State {
    /// The group of a member of its generation, which is seen now.
    fn member(
        &mut self,
        group: &str,
        generation: i32,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<&mut Group, i16> {
        if group.is_empty() {
            return Err(error_code::INVALID_GROUP_ID);
        }
        let group = self.groups.get_mut(group).ok_or(error_code::UNKNOWN_MEMBER_ID)?;
        group.check_instance(member_id, instance)?;
        let member = group.members.get_mut(member_id).ok_or(error_code::UNKNOWN_MEMBER_ID)?;
        member.seen = Instant::now();
        if group.generation != generation {
            return Err(error_code::ILLEGAL_GENERATION);
        }
        Ok(group)
    }
}

impl Group {
    const fn new() -> Group {
        Group {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: StrBytes::from_static_str(""),
            protocol: StrBytes::from_static_str(""),
            leader: String::new(),
            members: BTreeMap::new(),
            shares: None,
            promised: BTreeMap::new(),
        }
    }

    /// Returns true if it has no member, and none may come in by a name that was promised.
    fn is_over(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty()
    }

    /// The name of the member that keeps that name of its own.
    fn holder(&self, instance: &str) -> Option<&String> {
        self.members.iter().find(|(_, member)| member.instance.as_deref() == Some(instance)).map(|(id, _)| id)
    }

    /// Checks that the member is the one that has that name of its own.
    fn check_instance(&self, member_id: &str, instance: Option<&str>) -> Result<(), i16> {
        match instance.map(|instance| self.holder(instance)) {
            None => Ok(()),
            Some(None) => Err(error_code::UNKNOWN_MEMBER_ID),
            Some(Some(holder)) if holder == member_id => Ok(()),
            Some(Some(_)) => Err(error_code::FENCED_INSTANCE_ID),
        }
    }

    /// Returns true if a member of that name and these protocols fits the others.
    fn takes(&self, id: &str, protocol_type: &str, member: &Member) -> bool {
        let others: Vec<&Member> = self.members.iter().filter(|(other, _)| *other != id).map(|(_, one)| one).collect();
        let is_common = |name: &StrBytes| others.iter().all(|other| other.metadata(name).is_some());
        others.is_empty()
            || (self.protocol_type.as_str() == protocol_type
                && member.protocols.iter().any(|(name, _)| is_common(name)))
    }

    /// All members join again.
    fn begin(&mut self, now: Instant, config: &ListenerConfig) {
        if matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        let first = if self.phase == Phase::Empty { config.first_join_ms } else { 0 };
        let longest = self.members.values().map(|member| member.rebalance).max().unwrap_or_default();
        self.phase = Phase::Joining { not_before: now + Duration::from_millis(first), until: now + longest };
        // Members that wait for a share join again.
        self.members.values_mut().for_each(|member| drop(member.syncing.take()));
    }

    /// Takes note of lost members, if there are any.
    fn lost(&mut self, is_lost: bool, now: Instant, config: &ListenerConfig) {
        if !is_lost {
            return;
        }
        if self.members.is_empty() {
            (self.phase, self.leader) = (Phase::Empty, String::new());
            return;
        }
        self.begin(now, config);
        self.go_on(now);
    }

    /// Completes the generation if all have joined, or it is too late for the others.
    fn go_on(&mut self, now: Instant) {
        let Phase::Joining { not_before, until } = self.phase else { return };
        let all_are_in = self.members.values().all(|member| member.joining.is_some());
        if now < not_before || (!all_are_in && now < until) {
            return;
        }
        self.members.retain(|_, member| member.joining.is_some());
        if self.members.is_empty() {
            (self.phase, self.leader) = (Phase::Empty, String::new());
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.protocol = self.chosen();
        let longest = self.members.values().map(|member| member.rebalance).max().unwrap_or_default();
        self.phase = Phase::Sharing { until: now + longest };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.seen = now;
                // A member that is gone meanwhile is missed when its time is over.
                if let Some(joining) = member.joining.take() {
                    drop(joining.send(answer));
                }
            }
        }
    }

    /// The protocol that all have and most like best.
    fn chosen(&self) -> StrBytes {
        chosen(&self.members.values().collect::<Vec<_>>())
    }

    /// The same if that member were in too.
    fn chosen_with(&self, member: &Member) -> StrBytes {
        chosen(&self.members.values().chain([member]).collect::<Vec<_>>())
    }

    /// Every member gets a share.
    fn deal(&mut self, shares: BTreeMap<String, bytes::Bytes>) {
        for (id, member) in &mut self.members {
            // Copied: what is kept would keep the whole request in memory.
            member.assignment = shares.get(id).map(|share| bytes::Bytes::copy_from_slice(share)).unwrap_or_default();
        }
        self.phase = Phase::Stable;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let share = self.shared(&id);
            if let Some(syncing) = self.members.get_mut(&id).and_then(|member| member.syncing.take()) {
                drop(syncing.send(share));
            }
        }
    }

    /// A member's share.
    fn shared(&self, id: &str) -> SyncGroupResponse {
        let share = self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default();
        SyncGroupResponse::default()
            .with_assignment(share)
            .with_protocol_type(Some(self.protocol_type.clone()))
            .with_protocol_name(Some(self.protocol.clone()))
    }
}

fn chosen(members: &[&Member]) -> StrBytes {
    let is_common = |name: &StrBytes| members.iter().all(|member| member.metadata(name).is_some());
    let mut votes: BTreeMap<&str, (usize, &StrBytes)> = BTreeMap::new();
    for member in members {
        if let Some((name, _)) = member.protocols.iter().find(|(name, _)| is_common(name)) {
            votes.entry(name.as_str()).or_insert((0, name)).0 += 1;
        }
    }
    votes.into_values().max_by_key(|(count, _)| *count).map(|(_, name)| name.clone()).unwrap_or_default()
}
