//! Map-Registers (RFC 9301 sections 5.6, 8.2): whose, authentic, new, allowed; then applied.

use super::MapServer;
use super::registrant::{Registered, Registrant, RegistrantId};
use super::sites::{NonceRefused, SiteId};
use super::store::Change;
use crate::codec::auth::Coverage;
use crate::codec::{AuthData, Ecm, EidRecord, InnerHeader, MapNotify, MapRegister, Message, auth};
use crate::engine::config::{AuthAlgorithm, Secret, Site};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Handled, InnerAddresses, Meta};
use crate::roles::reply;
use pxtr_dataplane::trust::{Age, MapVersion};

/// A Map-Register that passed every check on the message as a whole.
struct Accepted<'a> {
    config: &'a Site,
    secret: &'a Secret,
    algorithm: AuthAlgorithm,
    registrant: RegistrantId,
}

impl MapServer {
    /// Takes a Map-Register. Nothing of it is applied before its MAC was found good.
    pub(super) fn register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
    ) -> Handled {
        cx.count(Counter::RegistersReceived);
        let Some(accepted) = self.accept(cx, meta, raw, register) else { return Handled::Yes };
        let mut taken = Vec::new();
        for record in &register.records {
            if let Some(eid) = self.apply(cx, meta, register, &accepted, record) {
                taken.push((eid, record));
            }
        }
        if register.want_map_notify && !taken.is_empty() {
            self.confirm(cx, meta, register, &accepted, &taken);
        }
        Handled::Yes
    }

    /// Key, MAC, rate and nonce; `None` after counting why not.
    fn accept<'a>(
        &mut self,
        cx: &mut Cx<'a>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
    ) -> Option<Accepted<'a>> {
        let config: &'a _ = cx.config;
        let owned = register.records.iter().filter_map(|r| self.owner(r));
        let Some(site) = owned.clone().next() else {
            cx.notice(Counter::RegistersUnknownEid, format_args!("Map-Register from {}", meta.from));
            return None;
        };
        let site_config = self.sites.config(config, site)?;
        let (secret, algorithm, coverage) = match authenticate(site_config, raw) {
            Ok(authentic) => authentic,
            Err(why) => {
                let name = &site_config.name;
                cx.notice(
                    Counter::RegistersBadAuth,
                    format_args!("Map-Register from {} for site {name}: {why}", meta.from),
                );
                return None;
            }
        };
        // one MAC, one key. Records of sites with other keys are an attempt to slip in.
        let key_id = register.auth.key_id;
        let foreign = |other: SiteId| {
            other != site
                && self.sites.config(config, other).and_then(|s| secret_of(s, key_id)) != Some(secret)
        };
        if owned.clone().any(foreign) {
            cx.notice(Counter::RegistersMixedSites, format_args!("Map-Register from {}", meta.from));
            return None;
        }
        let registrant = RegistrantId::of(meta, register, coverage);
        self.admit(cx, meta, register, site, site_config, registrant)?;
        Some(Accepted { config: site_config, secret, algorithm, registrant })
    }

    /// Nonce and rate, in this order: replayed messages must not use up the rate of
    /// the site that they were recorded from.
    fn admit(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        register: &MapRegister,
        site: SiteId,
        config: &Site,
        registrant: RegistrantId,
    ) -> Option<()> {
        if !config.legacy_nonce {
            let key = (register.auth.key_id, registrant);
            let refused = self.sites.take_nonce(cx.now, site, key, register.nonce).err();
            if let Some(why) = refused {
                let counter = match why {
                    NonceRefused::Replayed => Counter::RegistersReplayed,
                    NonceRefused::NoRoom => Counter::RegistersOverRegistrants,
                };
                let detail = format_args!("Map-Register from {}, nonce {:016x}", meta.from, register.nonce);
                cx.notice(counter, detail);
                return None;
            }
        }
        if !self.sites.state_mut(site)?.admit(cx.now, config.max_prefixes) {
            cx.count(Counter::RegistersOverSiteRate);
            return None;
        }
        Some(())
    }

    fn owner(&self, record: &EidRecord) -> Option<SiteId> {
        self.sites.owner(&record.eid.eid_prefix(record.mask_len)?)
    }

    /// Applies one record; the EID-prefix when it was taken.
    fn apply(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        register: &MapRegister,
        accepted: &Accepted<'_>,
        record: &EidRecord,
    ) -> Option<EidPrefix> {
        let eid = record.eid.eid_prefix(record.mask_len);
        let Some((eid, site)) = eid.and_then(|eid| Some((eid, self.sites.owner(&eid)?))) else {
            cx.count(Counter::RegisterRecordsRefused);
            return None;
        };
        if record.ttl_minutes == 0 {
            return self.deregister(cx, eid, accepted.registrant);
        }
        if self.is_old_version(cx, meta, &eid, record) {
            return None;
        }
        let max = self.sites.config(cx.config, site).map_or(0, |s| s.max_prefixes);
        let full = self.sites.state_mut(site).is_none_or(|s| s.registered >= max);
        if full && self.store.get(&eid).is_none() {
            let name = &accepted.config.name;
            cx.notice(Counter::RegisterRecordsOverLimit, format_args!("site {name} has {max} EID-prefixes"));
            return None;
        }
        let new = Registrant::new(cx.now, meta, accepted.registrant, register, accepted.algorithm, record);
        let change = self.store.register(eid, site, new);
        self.changed(cx, eid, site, &change);
        Some(eid)
    }

    /// an older version of a mapping than what is registered for it, of a router that is trusted to
    /// know versions, is not to be expected (RFC 9302 section 5). One without a version is.
    fn is_old_version(&self, cx: &mut Cx<'_>, meta: &Meta, eid: &EidPrefix, record: &EidRecord) -> bool {
        let trust = &cx.config.trust;
        let (new, from) = (MapVersion::new(record.map_version), meta.from.ip());
        if new.is_none() || !(trust.map_versions && trust.has(from)) {
            return false;
        }
        let there = self.store.get(eid).map_or(MapVersion::NONE, Registered::map_version);
        let old = !there.is_none() && new.against(there) == Age::Older;
        if old {
            let (prefix, new, there) = (eid.prefix, new.get(), there.get());
            let detail = format_args!("{from} registers version {new} of {prefix}, {there} is registered");
            cx.notice(Counter::RegisterRecordsOldVersion, detail);
        }
        old
    }

    /// Record TTL 0: takes back the sender's own registration, never that of another.
    fn deregister(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, who: RegistrantId) -> Option<EidPrefix> {
        let site = self.store.get(&eid).map(|row| row.site);
        let change = self.store.withdraw(&eid, who);
        let (Some(site), Some(change)) = (site, change) else {
            cx.count(Counter::WithdrawalsRefused);
            return None;
        };
        cx.count(Counter::RegistrationsWithdrawn);
        self.changed(cx, eid, site, &change);
        Some(eid)
    }

    /// Counts a change of the store and tells those who must know.
    pub(super) fn changed(&mut self, cx: &mut Cx<'_>, eid: EidPrefix, site: SiteId, change: &Change) {
        if let Some(state) = self.sites.state_mut(site) {
            state.registered = state.registered.saturating_add(u32::from(change.created));
            state.registered = state.registered.saturating_sub(u32::from(change.removed));
        }
        if change.created {
            cx.count(Counter::RegistrationsNew);
        }
        if change.changed && !change.removed {
            cx.count(Counter::RegistrationsChanged);
        }
        if change.created || change.changed || change.removed {
            self.publisher.changed(cx, &self.store, &eid);
        }
        if change.listeners.is_empty() {
            return;
        }
        let Some(config) = self.sites.config(cx.config, site) else { return };
        let Some(record) = self.store.get(&eid).map(notify_record) else { return };
        for to in change.listeners.iter().filter_map(|listener| listener.addressee(config)) {
            self.notifier.notify(cx, to, eid, record.clone());
        }
    }

    /// the Map-Notify that answers M=1. Its records are those taken, merged where others
    /// merge; it goes where the Map-Register came from (TRAP 2) and is not retransmitted.
    fn confirm(
        &self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        register: &MapRegister,
        accepted: &Accepted<'_>,
        taken: &[(EidPrefix, &EidRecord)],
    ) {
        let record = |(eid, record): &(EidPrefix, &EidRecord)| match self.store.get(eid) {
            Some(row) if register.merge && record.ttl_minutes != 0 => notify_record(row),
            _ => (*record).clone(),
        };
        let notify = MapNotify {
            nonce: register.nonce,
            auth: AuthData::unsigned(
                register.auth.key_id,
                register.auth.algorithm_id,
                register.auth.tag.len(),
            ),
            records: taken.iter().map(record).collect(),
            xtr: None,
        };
        if let Some(payload) = reply::encode_signed(cx, &Message::MapNotify(notify), accepted.secret) {
            let Some(payload) = (match meta.inner {
                None => Some(payload),
                Some(inner) => back_in_ecm(cx, inner, payload),
            }) else {
                return;
            };
            cx.count(Counter::NotifiesSent);
            let source = Some(meta.to.ip()).filter(|ip| !ip.is_unspecified());
            cx.send_from(source, meta.from, payload);
        }
    }
}

/// The answer to what an RTR passed on, for the RTR to pass on: from and to those of the inner header
/// (draft-ermagan-lisp-nat-traversal-19 section 5.3).
fn back_in_ecm(cx: &mut Cx<'_>, asked: InnerAddresses, payload: Vec<u8>) -> Option<Vec<u8>> {
    let InnerAddresses { source, destination } = asked;
    let inner = InnerHeader {
        destination_port: source.port(),
        ..InnerHeader::new(destination.ip(), destination.port(), source.ip())
    };
    reply::encode(cx, &Message::Ecm(Ecm { for_rtr: true, ..Ecm::new(inner, payload) }))
}

/// The site's key with the message's Key ID, if the site may use this algorithm and the MAC is good.
fn authenticate<'a>(site: &'a Site, raw: &[u8]) -> Result<(&'a Secret, AuthAlgorithm, Coverage), String> {
    let header = auth::header(raw).map_err(|e| e.to_string())?;
    if !site.algorithms.contains(&header.algorithm) {
        return Err(format!("{:?} is not allowed", header.algorithm));
    }
    let secret = secret_of(site, header.key_id).ok_or_else(|| format!("no key with ID {}", header.key_id))?;
    let coverage = auth::verify(raw, secret).map_err(|e| e.to_string())?;
    Ok((secret, header.algorithm, coverage))
}

/// A site's secret by Key ID.
fn secret_of(site: &Site, key_id: u8) -> Option<&Secret> {
    site.keys.iter().find(|k| k.id == key_id).map(|k| &k.secret)
}

/// A mapping as a Map-Notify carries it.
fn notify_record(row: &Registered) -> EidRecord {
    EidRecord {
        map_version: row.map_version().get(),
        locators: row.locators(),
        ..reply::negative(&row.eid, crate::codec::MapAction::NoAction, row.ttl_minutes())
    }
}
