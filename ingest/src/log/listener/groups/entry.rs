//! The entry of members: with a name that they were given, without one, or as a static member that comes back. Not for
//! what becomes of a group when they have.

use super::{Group, Groups, Phase};
use crate::log::listener::groups::member::Member;
use crate::log::listener::offsets::Offsets;
use crate::log::listener::{error_code, random};
use crate::log::lock;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The first version in which a member without a name is given one, to join once more with it.
const NAMED_FIRST: i16 = 4;
/// The first version in which a leader can learn that the shares are dealt out.
const SKIPS_SHARES: i16 = 9;

type JoinReply = oneshot::Sender<JoinGroupResponse>;

impl Groups {
    /// Takes the member in, to be answered later; else why not, and its name.
    pub(super) fn enter(
        &self,
        request: &JoinGroupRequest,
        mut member: Member,
        version: i16,
        answer: JoinReply,
        offsets: &Offsets,
    ) -> Result<(), (i16, StrBytes)> {
        let now = Instant::now();
        let refused = |code| (code, request.member_id.clone());
        let mut state = lock(&self.state);
        let name = request.group_id.as_str();
        if name.is_empty() {
            return Err(refused(error_code::INVALID_GROUP_ID));
        }
        if !state.groups.contains_key(name) {
            if !request.member_id.is_empty() {
                return Err(refused(error_code::UNKNOWN_MEMBER_ID));
            }
            if !offsets.has_room_beside(name, &mut state.groups.keys()) {
                return Err(refused(error_code::GROUP_MAX_SIZE_REACHED));
            }
        }
        state.names += 1;
        let number = state.names;
        let group = state.groups.entry(name.to_owned()).or_insert_with(Group::new);
        let before = group.place_of(request).map_err(refused)?;
        let has_place = before.is_some() || group.promised.contains_key(request.member_id.as_str());
        let bytes = group.members.values().map(|member| member.bytes).sum::<usize>() + member.bytes;
        let is_full = group.members.len() + group.promised.len() >= self.config.members_max;
        if (!has_place && is_full) || bytes > self.config.group_bytes_max {
            return Err(refused(error_code::GROUP_MAX_SIZE_REACHED));
        }
        if !group.takes(before.as_deref().unwrap_or_default(), &request.protocol_type, &member) {
            return Err(refused(error_code::INCONSISTENT_GROUP_PROTOCOL));
        }
        let is_static = request.group_instance_id.is_some();
        let fresh = |base: &str| format!("{base}-{:08x}-{number}", random() & 0xffff_ffff);
        if request.member_id.is_empty() && !is_static && version >= NAMED_FIRST {
            let id = fresh(&member.client);
            let good_for = member.session.min(Duration::from_millis(self.config.promise_ms_max));
            group.promised.insert(id.clone(), now + good_for);
            return Err((error_code::MEMBER_ID_REQUIRED, StrBytes::from_string(id)));
        }
        member.held = Some(self.bytes.try_hold(member.bytes).ok_or(refused(error_code::GROUP_MAX_SIZE_REACHED))?);
        group.protocol_type = StrBytes::from_string(request.protocol_type.to_string());
        let known = before.as_deref() == Some(request.member_id.as_str());
        let id = match (&before, &request.group_instance_id) {
            (_, Some(instance)) if request.member_id.is_empty() => fresh(instance),
            (None, None) if request.member_id.is_empty() => fresh(&member.client),
            _ => request.member_id.to_string(),
        };
        group.promised.remove(&id);
        match before {
            Some(before) if !known => {
                if group.replace(&before, &id, &mut member) {
                    group.members.insert(id.clone(), member);
                    drop(answer.send(group.told_again(&before, &id, version)));
                    return Ok(());
                }
            }
            Some(_) | None => {
                if group.has_not_heard(&id, &mut member) {
                    let again = group.joined(&id);
                    drop(answer.send(again));
                    return Ok(());
                }
            }
        }
        member.joining = Some(answer);
        group.members.insert(id, member);
        group.begin(now, &self.config);
        group.go_on(now);
        Ok(())
    }
}

impl Group {
    /// The member whose place is asked for: that of the name, or of a static member's own name. None if it is a new one,
    /// an error if it may not be.
    fn place_of(&self, request: &JoinGroupRequest) -> Result<Option<String>, i16> {
        let id = request.member_id.as_str();
        if let Some(instance) = &request.group_instance_id {
            if id.is_empty() {
                return Ok(self.holder(instance).cloned());
            }
            self.check_instance(id, Some(instance))?;
        }
        let is_promised = self.promised.contains_key(id);
        match self.members.contains_key(id) {
            true => Ok(Some(id.to_owned())),
            false if id.is_empty() || is_promised => Ok(None),
            false => Err(error_code::UNKNOWN_MEMBER_ID),
        }
    }

    /// Returns true if the member has not heard the answer and nothing has changed, so that it is answered again.
    fn has_not_heard(&mut self, id: &str, member: &mut Member) -> bool {
        let is_leader = self.leader == id;
        let Some(before) = self.members.get_mut(id) else { return false };
        member.assignment = before.assignment.clone();
        let is_same = before.protocols == member.protocols;
        let hears = match self.phase {
            Phase::Sharing { .. } => is_same,
            Phase::Stable => is_same && !is_leader,
            Phase::Empty | Phase::Joining { .. } => false,
        };
        if hears {
            before.seen = member.seen;
        }
        hears
    }

    /// A static member comes back under another name, and has the place of the one before. Returns true if that changes
    /// nothing for the others.
    fn replace(&mut self, before: &str, id: &str, member: &mut Member) -> bool {
        let Some(mut gone) = self.members.remove(before) else { return false };
        member.assignment = std::mem::take(&mut gone.assignment);
        if let Some(joining) = gone.joining.take() {
            let fenced = super::refusal(error_code::FENCED_INSTANCE_ID, StrBytes::from_string(before.to_owned()));
            drop(joining.send(fenced));
        }
        if let Some(syncing) = gone.syncing.take() {
            drop(syncing.send(SyncGroupResponse::default().with_error_code(error_code::FENCED_INSTANCE_ID)));
        }
        if self.leader == before {
            id.clone_into(&mut self.leader);
        }
        self.phase == Phase::Stable && self.chosen_with(member) == self.protocol
    }

    /// The answer to a static member that has come back: the generation continues, and it has its share. A leader of an
    /// earlier version would deal out shares, so that another leader is named to it.
    fn told_again(&self, before: &str, id: &str, version: i16) -> JoinGroupResponse {
        let is_leader = self.leader == id;
        let told = self.joined(id);
        if is_leader && version >= SKIPS_SHARES {
            return told.with_skip_assignment(true);
        }
        let leader = if is_leader { before } else { &self.leader };
        told.with_leader(StrBytes::from_string(leader.to_owned())).with_members(Vec::new())
    }
}
