//! What good files become.

use super::{FULL, parse};
use crate::codec::MapAction;
use crate::config::{Machine, check_config, parse_config};
use crate::engine::config::{AuthAlgorithm, Limits};
use crate::engine::event::{Forwarding, Iid};
use pxtr_dataplane::launch::{Idle, Spread};
use pxtr_dataplane::types::{PortId, VrfId};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Every file below `configs/` that is a daemon's configuration.
fn shipped(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            shipped(&path, found);
        } else if path.extension().is_some_and(|e| e == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_configuration_is_accepted() {
    let mut files = Vec::new();
    shipped(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs"), &mut files);
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        if let Err(errors) = parse_config(&text, &path, &Machine::any()) {
            panic!("{errors}");
        }
    }
}

/// Off by default, and only for the RLOCs that are named.
#[test]
fn trusted_routers_are_named_r006_r099() {
    let config = parse(FULL).unwrap();
    assert!(!config.trust.any() && config.database[0].map_version.is_none());
    let versioned = FULL.replacen("[[lisp.database]]", "[[lisp.database]]\nmap_version = 4095", 1);
    let text = format!("{versioned}\n[trusted]\nrlocs = [\"198.51.100.0/24\"]\nmap_versioning = true\n");
    let config = parse(&text).unwrap();
    assert!(config.trust.any() && config.trust.has("198.51.100.7".parse().unwrap()));
    assert_eq!(config.database[0].map_version.get(), 4095);
    assert_eq!(config.engine(0).trust, config.trust);
}

/// RFC 8060 section 4.6: the routers on the way to a locator, none by default; all must be used by default.
#[test]
fn locators_may_have_a_path_r028() {
    let config = parse(FULL).unwrap();
    assert!(config.database[0].locators.iter().all(|l| l.via.is_empty() && l.strict));
    let text = FULL.replacen(
        "{ rloc = \"198.51.100.2\" }, ",
        "{ rloc = \"198.51.100.2\", via = [\"198.51.100.20\", \"2001:db8::20\"] }, { rloc = \"198.51.100.2\", \
         via = [\"198.51.100.20\"], strict = false }, ",
        1,
    );
    let [path, loose, plain] = &parse(&text).unwrap().database[0].locators[..] else { panic!() };
    assert_eq!((path.via.len(), path.strict), (2, true));
    assert_eq!((loose.via.len(), loose.strict, plain.via.len()), (1, false, 0));
}

#[test]
fn the_whole_is_typed() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.daemon.api_socket, Path::new("/run/pxtr/full.sock"));
    assert_eq!(config.daemon.log, "info");
    assert_eq!(
        config.vrfs.iter().map(|v| (&*v.name, v.id)).collect::<Vec<_>>(),
        [("default", VrfId(0)), ("red", VrfId(1))]
    );
    assert_eq!(config.ports.iter().map(|p| p.vrf).collect::<Vec<_>>(), [VrfId(1), VrfId(0)]);
    assert_eq!(config.xtr_id, Some(([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], 42)));
    assert_eq!(config.database[0].eid.iid, Iid(7));
    assert_eq!(config.database[0].locators[1].priority, 2);
    assert_eq!(config.static_mappings[1].action, Forwarding::DropPolicyDenied);
    assert_eq!(config.sites[0].algorithms, [AuthAlgorithm::HmacSha1]);
    assert_eq!(config.sites[1].algorithms, [AuthAlgorithm::HmacSha256, AuthAlgorithm::HmacSha256Hkdf]);
    assert_eq!(config.sites[0].max_prefixes, 10_000);
    assert_eq!(config.limits, Limits { probe_interval_ms: 200, ..Limits::default() });
    assert_eq!(config.map_servers[0].key.id, 1);
    assert_eq!(config.map_servers[0].key.secret.expose(), b"hunter2-hunter2");
}

#[test]
fn engine_and_data_plane_are_told_their_part() {
    let config = parse(FULL).unwrap();
    let engine = config.engine(77);
    assert_eq!(engine.register_nonce_epoch, 77);
    assert_eq!(engine.vrfs[1].eid_space.len(), 2);
    assert_eq!((engine.sites.len(), engine.use_petr[0].weight), (2, 5));
    let launch = config.launch().unwrap();
    assert_eq!(launch.ports[1].id, PortId(1));
    assert_eq!((launch.ports[1].queues, launch.ports[1].mtu), (2, 9000));
    assert_eq!(launch.workers.cores, [1, 2]);
    assert_eq!(launch.workers.idle, Idle::Sleep { us: 50 });
    assert_eq!(launch.eal.file_prefix, "full");
    assert_eq!(launch.replica.entries, 1_000_000 + 4 + 2 + 1);
    assert!(launch.check().is_ok());
    assert_eq!(engine.map_resolver_forward_to.len(), 1);
}

#[test]
fn workers_may_spread_packets_of_one_queue() {
    let config = parse(&FULL.replace("queues = 2", "queues = 1\nspread = \"software\"")).unwrap();
    let launch = config.launch().unwrap();
    assert_eq!((launch.ports[1].queues, launch.ports[1].spread), (1, Spread::Software));
    assert_eq!(launch.ports[0].spread, Spread::Nic);
    assert!(launch.check().is_ok());
}

#[test]
fn a_mapping_system_daemon_needs_no_port() {
    let config = parse(
        "[daemon]\nname='ms'\n[lisp]\nroles=['map-server','map-resolver']\nrlocs=['127.0.0.1']\n\
         [[map_server.site]]\nname='s'\nkeys=[{id=1,secret='x'}]\neid_prefixes=[{prefix='10.0.0.0/8'}]\n\
         [[map_server.policy]]\nprefix='10.9.0.0/16'\n[[map_server.policy]]\nprefix='10.9.0.0/16'\n\
         instance_id=7\naction='natively-forward'\nttl_minutes=3\n",
    )
    .unwrap();
    assert!(config.launch().is_none());
    let policies = config.engine(0).policies.into_iter().map(|p| (p.eid.iid.0, p.action, p.ttl_minutes));
    let expected = [(0, MapAction::DropPolicyDenied, 15), (7, MapAction::NativelyForward, 3)];
    assert_eq!(policies.collect::<Vec<_>>(), expected);
    assert_eq!(config.vrfs.len(), 1);
    assert_eq!((&*config.vrfs[0].name, config.vrfs[0].iid, config.vrfs[0].table), ("default", Iid(0), 254));
}

#[test]
fn secrets_do_not_show() {
    let config = parse(FULL).unwrap();
    let shown = format!("{config:?}{:?}", config.engine(0));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_secret_file_is_read_and_must_be_private() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("site.key");
    let text = FULL.replace("secret = \"hunter2-hunter2\"", &format!("secret_file = '{}'", key.display()));
    let error = |text: &str| parse(text).unwrap_err().to_string();

    let missing = error(&text);
    assert!(missing.starts_with("pxtr.toml:45: lisp.map_server: secret_file "), "{missing}");
    assert!(missing.contains("can not be read (No such file"), "{missing}");

    std::fs::write(&key, "from-a-file\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = error(&text);
    assert!(open.ends_with(&format!("is open to everybody; run chmod 0600 {}", key.display())), "{open}");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(parse(&text).unwrap().map_servers[0].key.secret.expose(), b"from-a-file");

    std::fs::write(&key, "\n").unwrap();
    assert!(error(&text).ends_with("is empty; write the secret there"));
    std::fs::write(&key, "x".repeat(300)).unwrap();
    assert!(error(&text).ends_with("has 300 bytes; a secret has at most 255"));
}

#[test]
fn a_file_that_is_not_there_or_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no.toml");
    let error = check_config(&path).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "can not be read (No such file or directory (os error 2)); give the path of a configuration file"
        ),
        "{error}"
    );
    std::fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
    assert_eq!(
        check_config(&path).unwrap_err().to_string(),
        format!("{}:2: is not UTF-8 text; save the file as UTF-8", path.display())
    );
}

/// It is no ITR, but has to find out whose RLOCs its senders have.
#[test]
fn a_strict_petr_looks_mappings_up_r040() {
    let text = |strict: &str| {
        format!(
            "[daemon]\nname='petr'\n[workers]\ncores=[1]\n\
             [[port]]\nname='p'\ndevice='net_null0'\nunderlay=true\nnative=true\n\
             [[vrf]]\nname='red'\ninstance_id=7\n{strict}\n\
             [lisp]\nroles=['petr']\nrlocs=['198.51.100.2']\nmap_resolvers=['198.51.100.14']\n"
        )
    };
    assert!(!parse(&text("")).unwrap().engine(0).looks_up());
    let config = parse(&text("eid_space=['10.0.0.0/8']\nstrict_inner_source=true")).unwrap();
    assert!(config.engine(0).looks_up() && config.vrfs[0].strict_inner_source);
    let errors = |strict: &str| parse(&text(strict)).unwrap_err().to_string();
    assert_eq!(
        errors("strict_inner_source=true"),
        "pxtr.toml:13: vrf.strict_inner_source can look nothing up; give the EID prefixes of the sites in vrf.eid_space\n"
            .trim_end()
    );
    assert!(errors("eid_space=['10.0.0.0/8']").contains("vrf.eid_space has no effect"));
}
