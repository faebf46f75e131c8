//! The words of the file: what may stand between quotes.

use super::leaf::Leaf;
use crate::codec::MapAction;
use crate::engine::config::AuthAlgorithm;
use ipnet::IpNet;
use pxtr_dataplane::admission::{Nonce, UnknownSources};
use pxtr_dataplane::crypt::Suite;
use pxtr_dataplane::punt::Seen;
use pxtr_dataplane::types::MacAddr;
use schemars::{Schema, json_schema};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Free text without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Leaf for Text {
    const WHAT: &'static str = "a text";
    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("contains a control character".into());
        }
        Ok(Self(text.into()))
    }
}

/// A name given by the operator: 1 to 32 letters, digits, `_`, `.`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub String);

impl Leaf for Name {
    const WHAT: &'static str = "a name";
    fn parse(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > 32 || !text.chars().all(good) {
            return Err("is no name; use 1 to 32 letters, digits, '_', '.' or '-'".into());
        }
        Ok(Self(text.into()))
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,32}$"})
    }
}

/// A kernel interface name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IfName(pub String);

impl Leaf for IfName {
    const WHAT: &'static str = "an interface name";
    fn parse(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > 15 || text == "." || text == ".." || !text.chars().all(good) {
            return Err("is no interface name; use 1 to 15 letters, digits, '_', '.' or '-'".into());
        }
        Ok(Self(text.into()))
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,15}$"})
    }
}

/// A network namespace: a name below /run/netns, or a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(pub String);

impl Leaf for Namespace {
    const WHAT: &'static str = "a network namespace";
    fn parse(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_graphic() && c != '/';
        let name =
            text.len() <= 255 && !text.is_empty() && text != "." && text != ".." && text.chars().all(good);
        let path = text.starts_with('/') && !text.chars().any(char::is_control);
        if name || path {
            return Ok(Self(text.into()));
        }
        Err("is neither the name of a network namespace nor a path; see `ip netns list`".into())
    }
}

/// An Ethernet address of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub MacAddr);

impl Leaf for Mac {
    const WHAT: &'static str = "an Ethernet address";
    fn parse(text: &str) -> Result<Self, String> {
        let bytes: Vec<u8> = text
            .split(':')
            .filter(|byte| byte.len() == 2)
            .filter_map(|byte| u8::from_str_radix(byte, 16).ok())
            .collect();
        let six = <[u8; 6]>::try_from(bytes).ok().filter(|_| text.len() == 17);
        match six {
            Some(mac) if mac[0] & 1 == 0 && mac != [0; 6] => Ok(Self(MacAddr(mac))),
            Some(_) => Err("is no address of one station; its first byte must be even".into()),
            None => Err("is no Ethernet address; write it like \"02:00:5e:00:01:01\"".into()),
        }
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"})
    }
}

/// A DPDK device: a PCI address or the name of a virtual device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device(pub String);

impl Leaf for Device {
    const WHAT: &'static str = "a DPDK device";
    fn parse(text: &str) -> Result<Self, String> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let vdev = text.strip_prefix("net_").is_some_and(|rest| !rest.is_empty() && rest.chars().all(word));
        if vdev || is_pci(text) {
            return Ok(Self(text.into()));
        }
        Err("is no DPDK device; give a PCI address like \"0000:3b:00.0\" (see dpdk-devbind.py -s) or a virtual \
             device like \"net_af_packet\" (its arguments go into device_args)"
            .into())
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^(net_[a-z0-9_]+|[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7])$"})
    }
}

/// `dddd:bb:dd.f`
fn is_pci(text: &str) -> bool {
    let hex =
        |s: Option<&str>, len| s.is_some_and(|s| s.len() == len && s.chars().all(|c| c.is_ascii_hexdigit()));
    let Some((slot, function)) = text.split_once('.') else { return false };
    let mut parts = slot.split(':');
    hex(parts.next(), 4)
        && hex(parts.next(), 2)
        && hex(parts.next(), 2)
        && parts.next().is_none()
        && function.len() == 1
        && function.chars().all(|c| ('0'..='7').contains(&c))
}

impl Leaf for IpAddr {
    const WHAT: &'static str = "an IP address";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            if text.contains('/') {
                "is no IP address; leave the prefix length away".into()
            } else {
                "is no IP address".into()
            }
        })
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
    }
}

impl Leaf for SocketAddr {
    const WHAT: &'static str = "an address with port";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "is no address with port; write it like \"127.0.0.1:9341\" or \"[::1]:9341\"".into())
    }
}

/// A prefix without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(pub IpNet);

impl Leaf for Prefix {
    const WHAT: &'static str = "a prefix";
    fn parse(text: &str) -> Result<Self, String> {
        let net: IpNet = text.parse().map_err(|_| {
            let host = text.parse::<IpAddr>().map(|a| if a.is_ipv4() { 32 } else { 128 });
            match host {
                Ok(length) => format!("has no prefix length; write {text}/{length} for this one address"),
                Err(_) => "is no prefix; write it like 10.0.0.0/8 or 2001:db8::/32".into(),
            }
        })?;
        if net.addr() != net.network() {
            return Err(format!("has host bits set; write {}", net.trunc()));
        }
        if let IpNet::V6(v6) = net
            && v6.prefix_len() >= 96
            && v6.addr().to_ipv4_mapped().is_some()
        {
            return Err("is an IPv4-mapped IPv6 prefix; write the IPv4 prefix".into());
        }
        Ok(Self(net))
    }
}

/// An absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsolutePath(pub PathBuf);

impl Leaf for AbsolutePath {
    const WHAT: &'static str = "a path";
    fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        if !path.is_absolute() || text.chars().any(char::is_control) {
            return Err("is no absolute path; begin it with '/'".into());
        }
        Ok(Self(path))
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^/"})
    }
}

/// An absolute path that fits a Unix socket address (107 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixPath(pub PathBuf);

impl Leaf for UnixPath {
    const WHAT: &'static str = "a path";
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 107 {
            return Err(format!("has {} bytes; a Unix socket's path has at most 107", text.len()));
        }
        AbsolutePath::parse(text).map(|path| Self(path.0))
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^/", "maxLength": 107})
    }
}

/// A big-endian number of `N` bytes as hexadecimal digits; leading zeros may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexId<const N: usize>(pub [u8; N]);

impl<const N: usize> Leaf for HexId<N> {
    const WHAT: &'static str = "a hexadecimal number";
    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.is_empty() || digits.len() > 2 * N || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(format!("is no identifier; write 1 to {} hexadecimal digits", 2 * N));
        }
        let padded = format!("{digits:0>width$}", width = 2 * N);
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(padded.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        Ok(Self(bytes))
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^(0x)?[0-9a-fA-F]+$", "maxLength": 2 * N + 2})
    }
}

/// What the daemon logs: a level, or levels by part in the syntax of `tracing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(pub String);

impl Leaf for LogFilter {
    const WHAT: &'static str = "a log filter";
    fn parse(text: &str) -> Result<Self, String> {
        let bare_word = !text.contains(['=', ',', '[']);
        let level = text.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
        if text.is_empty() || (bare_word && !level) || tracing_subscriber::EnvFilter::try_new(text).is_err() {
            return Err("is no log filter; give error, warn, info, debug or trace, or a list like \
                        \"info,pxtr_control::engine=debug\""
                .into());
        }
        Ok(Self(text.into()))
    }
}

/// A nonce of RFC 8060 section 5.3: 24 bits. Debug does not print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceText(pub Nonce);

impl Leaf for NonceText {
    const WHAT: &'static str = "a nonce";
    fn parse(text: &str) -> Result<Self, String> {
        match HexId::<3>::parse(text) {
            Ok(HexId([a, b, c])) => Ok(Self(Nonce::new(u32::from_be_bytes([0, a, b, c])))),
            Err(_) => Err("is no nonce; write 1 to 6 hexadecimal digits".into()),
        }
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^(0x)?[0-9a-fA-F]{1,6}$", "writeOnly": true})
    }
}

/// A shared secret as written. Debug prints no secret.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct SecretText(pub(super) String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl Leaf for SecretText {
    const WHAT: &'static str = "a secret";
    fn parse(text: &str) -> Result<Self, String> {
        match text.len() {
            0 => Err("is empty".into()),
            1..=255 => Ok(Self(text.into())),
            _ => Err("is longer than 255 bytes".into()),
        }
    }
    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 255, "writeOnly": true})
    }
}

/// Defines an enumeration whose variants are words of the file.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word as it stands in the file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Leaf for $name {
            const WHAT: &'static str = $what;
            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(none_of(text, &[$($word),+])),
                }
            }
            fn schema() -> Schema {
                json_schema!({"type": "string", "enum": [$($word),+]})
            }
        }
    };
}

words! {
    /// What the daemon is in the LISP network.
    RoleWord: "a role" {
        /// Proxy ITR: native packets to EID space into LISP.
        Pitr = "pitr",
        /// Proxy ETR: LISP packets out to native networks.
        Petr = "petr",
        /// Site router: ITR and ETR.
        Xtr = "xtr",
        /// Map-Server.
        MapServer = "map-server",
        /// Map-Resolver.
        MapResolver = "map-resolver",
        /// Node of the Delegated Database Tree.
        DdtNode = "ddt-node",
        /// First-Hop Router: finds hosts that move and tells the xTRs of the site.
        Fhr = "fhr",
    }
}

words! {
    /// What a worker does when there is nothing to do.
    IdleWord: "a way to idle" {
        /// Ask again at once: the least latency, the core is always busy.
        Poll = "poll",
        /// Sleep a little: daemons can share a core.
        Sleep = "sleep",
    }
}

words! {
    /// The outer VLAN tag of what a sub-interface sends.
    TagWord: "a kind of tag" {
        /// EtherType 0x8100.
        Customer = "802.1q",
        /// EtherType 0x88a8.
        Service = "802.1ad",
    }
}

words! {
    /// Who spreads the packets of a port over the workers.
    SpreadWord: "a way to spread packets" {
        /// The NIC, or what feeds a virtual device.
        Nic = "nic",
        /// The workers, by handing over to each other.
        Software = "software",
    }
}

words! {
    /// Authentication algorithm of Map-Register and Map-Notify.
    AlgorithmWord: "an algorithm" {
        /// Algorithm ID 1, for legacy peers.
        HmacSha1 = "hmac-sha1",
        /// Algorithm ID 2.
        HmacSha256 = "hmac-sha256",
        /// Algorithm ID 3.
        HmacSha256Hkdf = "hmac-sha256-hkdf",
    }
}

impl From<AlgorithmWord> for AuthAlgorithm {
    fn from(word: AlgorithmWord) -> Self {
        match word {
            AlgorithmWord::HmacSha1 => Self::HmacSha1,
            AlgorithmWord::HmacSha256 => Self::HmacSha256,
            AlgorithmWord::HmacSha256Hkdf => Self::HmacSha256Hkdf,
        }
    }
}

words! {
    /// What a mapping without locators asks for (RFC 9301 section 5.4, ACT).
    ActionWord: "an action" {
        /// ACT 0.
        NoAction = "no-action",
        /// ACT 1.
        NativelyForward = "natively-forward",
        /// ACT 2.
        SendMapRequest = "send-map-request",
        /// ACT 3.
        DropNoReason = "drop-no-reason",
        /// ACT 4.
        DropPolicyDenied = "drop-policy-denied",
        /// ACT 5.
        DropAuthFailure = "drop-auth-failure",
    }
}

impl From<ActionWord> for MapAction {
    fn from(word: ActionWord) -> Self {
        match word {
            ActionWord::NoAction => Self::NoAction,
            ActionWord::NativelyForward => Self::NativelyForward,
            ActionWord::SendMapRequest => Self::SendMapRequest,
            ActionWord::DropNoReason => Self::DropNoReason,
            ActionWord::DropPolicyDenied => Self::DropPolicyDenied,
            ActionWord::DropAuthFailure => Self::DropAuthFailure,
        }
    }
}

words! {
    /// What tells flows apart besides addresses and ports.
    FlowWord: "a field" {
        /// Key of GRE.
        GreKey = "gre-key",
        /// Security Parameters Index of ESP.
        EspSpi = "esp-spi",
    }
}

words! {
    /// Which header's DSCP a decapsulated packet gets.
    DecapDscpWord: "a header" {
        /// The packet keeps its own.
        Inner = "inner",
        /// That of the outer header.
        Outer = "outer",
    }
}

words! {
    /// What a policer counts in.
    UnitWord: "a unit" {
        /// Bits of inner IP packets.
        Bits = "bits",
        /// Packets.
        Packets = "packets",
    }
}

words! {
    /// ECN bits of outer headers.
    EcnWord: "a treatment of ECN bits" {
        /// Normal mode of RFC 6040.
        Copied = "copied",
        /// Compatibility mode.
        NotEct = "not-ect",
    }
}

words! {
    /// UDP checksum of encapsulated packets.
    ChecksumWord: "a kind of checksum" {
        /// None.
        Zero = "zero",
        /// Over the whole packet.
        Computed = "computed",
    }
}

words! {
    /// Whether clear text may be spoken with a router.
    EncryptionWord: "a kind of encryption" {
        /// Never.
        Required = "required",
        /// Until there is a key.
        Preferred = "preferred",
    }
}

words! {
    /// A cipher suite of RFC 8061.
    SuiteWord: "a cipher suite" {
        /// Suite 5.
        Aes = "x25519-aes128-gcm",
        /// Suite 6.
        ChaCha = "x25519-chacha20-poly1305",
    }
}

impl SuiteWord {
    /// The suite itself.
    #[must_use]
    pub const fn suite(self) -> Suite {
        match self {
            Self::Aes => Suite::Aes128Gcm,
            Self::ChaCha => Suite::ChaCha20Poly1305,
        }
    }
}

words! {
    /// What is done with packets whose inner source has no mapping yet.
    UnknownWord: "a treatment" {
        /// Kept until it is known.
        Wait = "wait",
        /// Dropped.
        Drop = "drop",
        /// Taken.
        Admit = "admit",
    }
}

impl From<UnknownWord> for UnknownSources {
    fn from(word: UnknownWord) -> Self {
        match word {
            UnknownWord::Wait => Self::Wait,
            UnknownWord::Drop => Self::Drop,
            UnknownWord::Admit => Self::Admit,
        }
    }
}

words! {
    /// What is done with packets for a host that moved away.
    AwayWord: "a treatment" {
        /// Sent on to its new site.
        Forward = "forward",
        /// Dropped.
        Drop = "drop",
    }
}

words! {
    /// What shows that a host is there.
    SeenWord: "a kind of traffic" {
        /// A packet that it sends through the gateway.
        Data = "data",
        /// ARP.
        Arp = "arp",
        /// Neighbour discovery.
        Nd = "nd",
    }
}

impl From<SeenWord> for Seen {
    fn from(word: SeenWord) -> Self {
        match word {
            SeenWord::Data => Self::Data,
            SeenWord::Arp => Self::Arp,
            SeenWord::Nd => Self::Nd,
        }
    }
}

/// `is none of "a", "b"`, with the nearest one as remedy when there is a near one.
fn none_of(text: &str, words: &[&str]) -> String {
    let mut message = String::from("is none of ");
    for (i, word) in words.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        let _ = write!(message, "{comma}\"{word}\"");
    }
    let _ = match super::schema::nearest(text, words.iter().copied()) {
        Some(near) => write!(message, "; did you mean \"{near}\"?"),
        None => write!(message, "; give one of these"),
    };
    message
}
