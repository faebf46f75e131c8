//! Sites of the Map-Server: names, keys, and whose prefix is whose.

use super::super::error::Problems;
use super::super::file::SiteTable;
use super::super::leaf::At;
use super::all::{Cx, quoted, unique};
use super::secrets;
use ipnet::IpNet;
use std::ops::Range;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let sites = cx.file.map_server.get().map_or(&[][..], |ms| ms.site.items());
    let names = sites.iter().filter_map(|site| site.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("map_server.site.name", names, "give each site its own name", problems);
    for site in sites {
        let ids =
            site.keys.items().iter().filter_map(|key| key.id.at()).map(|id| (id.get::<u8>(), id.span()));
        unique("map_server.site.keys.id", ids, "give each key of a site its own id", problems);
        let algorithms = site.algorithms.items().iter().map(|word| (quoted(word.0.as_str()), word.span()));
        unique("map_server.site.algorithms", algorithms, "give each algorithm once", problems);
        let lists = [
            ("keys", site.keys.at().map(|at| (at.is_empty(), at.span()))),
            ("algorithms", site.algorithms.at().map(|at| (at.is_empty(), at.span()))),
            ("eid_prefixes", site.eid_prefixes.at().map(|at| (at.is_empty(), at.span()))),
        ];
        for (key, list) in lists {
            if let Some((true, span)) = list {
                problems.at(
                    span,
                    format!("map_server.site.{key} is empty; nobody could register: give one at least"),
                );
            }
        }
    }
    overlaps(sites, problems);
    subscribers(cx, problems);
    policies(cx, problems);
}

fn policies(cx: &Cx<'_>, problems: &mut Problems) {
    let policies = cx.file.map_server.get().map_or(&[][..], |ms| ms.policy.items());
    let prefixes = policies.iter().filter_map(|policy| {
        let iid = policy.instance_id.get().map_or(0, |id| id.get::<u32>());
        let prefix = policy.prefix.at()?;
        Some((format!("{} of instance {iid}", prefix.0.0), prefix.span()))
    });
    unique("map_server.policy.prefix", prefixes, "give each prefix one policy", problems);
}

fn subscribers(cx: &Cx<'_>, problems: &mut Problems) {
    let subscribers = cx.file.map_server.get().map_or(&[][..], |ms| ms.subscriber.items());
    let names = subscribers.iter().filter_map(|s| s.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("map_server.subscriber.name", names, "give each subscriber its own name", problems);
    let ids = subscribers.iter().filter_map(|s| s.xtr_id.at());
    let ids = ids.map(|id| (format!("{:032x}", u128::from_be_bytes(id.0.0)), id.span()));
    unique("map_server.subscriber.xtr_id", ids, "each subscriber has its own xTR-ID", problems);
}

/// A prefix of a site, in the order in which an outer one comes before those inside it.
struct Claim<'f> {
    iid: u32,
    net: IpNet,
    more: bool,
    site: &'f At<SiteTable>,
    span: Range<usize>,
}

/// One EID-prefix belongs to one site; and where a site may register inside its prefix, a prefix of
/// another site in there needs the same keys, or each could take the other's EIDs.
fn overlaps(sites: &[At<SiteTable>], problems: &mut Problems) {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for site in sites {
        for prefix in site.eid_prefixes.items() {
            let Some(net) = prefix.prefix.at() else { continue };
            claims.push(Claim {
                iid: prefix.instance_id.get().map_or(0, |id| id.get()),
                net: net.0.0,
                more: prefix.accept_more_specifics.get() == Some(&true),
                site,
                span: net.span(),
            });
        }
    }
    // Outer before inner, equal ones in the order of the file.
    claims.sort_by_key(|claim| (claim.iid, claim.net.network(), claim.net.prefix_len(), claim.span.start));
    let mut open: Vec<&Claim<'_>> = Vec::new();
    for claim in &claims {
        while open.last().is_some_and(|outer| outer.iid != claim.iid || !outer.net.contains(&claim.net)) {
            open.pop();
        }
        if let Some(twin) = open.iter().find(|outer| outer.net == claim.net) {
            let whose = twin.site.name.get().map_or("?", |name| name.0.0.as_str());
            problems.at(
                claim.span.clone(),
                format!(
                    "map_server.site.eid_prefixes {} is already given to site \"{whose}\"; give each prefix to one site",
                    claim.net
                ),
            );
            continue;
        }
        if let Some(outer) = open.iter().find(|outer| outer.more && !same_keys(outer.site, claim.site)) {
            let whose = outer.site.name.get().map_or("?", |name| name.0.0.as_str());
            problems.at(
                claim.span.clone(),
                format!(
                    "map_server.site.eid_prefixes {} lies inside {} of site \"{whose}\", which accepts more specifics \
                     with other keys; give both sites the same keys or set accept_more_specifics = false there",
                    claim.net, outer.net
                ),
            );
        }
        open.push(claim);
    }
}

fn same_keys(a: &At<SiteTable>, b: &At<SiteTable>) -> bool {
    if a.span() == b.span() {
        return true;
    }
    let keys = |site: &SiteTable| {
        let mut keys: Vec<_> = site
            .keys
            .items()
            .iter()
            .filter_map(|key| {
                let secret = secrets::secret(&key.secret, &key.secret_file).ok()??;
                Some((key.id.get()?.get::<u8>(), secret.expose().to_vec()))
            })
            .collect();
        keys.sort();
        keys
    };
    keys(a) == keys(b)
}
