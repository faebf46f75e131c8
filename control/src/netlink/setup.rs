//! What we change in the kernel: the host interfaces of our ports, and the kernel interfaces that
//! stand behind AF_PACKET and AF_XDP ports. Addresses and routes are the operator's.

use super::error::Error;
use super::space::within;
use futures_util::TryStreamExt;
use pxtr_dataplane::types::MacAddr;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Handle, LinkUnspec};

/// What a host interface must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterface {
    /// Kernel interface name.
    pub name: String,
    /// Network namespace that it is in; `None`: ours.
    pub namespace: Option<String>,
    /// MAC address of the port it is the face of.
    pub mac: MacAddr,
    /// IP MTU, bytes.
    pub mtu: u16,
}

/// Gives a host interface its MAC address and MTU and sets it up. Router advertisements and redirects
/// that come in there are ignored: the routes of a PxTR are its operator's. Returns its
/// interface index.
///
/// # Errors
/// No such interface, or the kernel refused.
pub async fn prepare_host_interface(handle: &Handle, want: &HostInterface) -> Result<u32, Error> {
    let link = find(handle, &want.name).await?;
    let index = link.header.index;
    let fail = |what| {
        let name = want.name.clone();
        move |source| Error::LinkSet { name, what, source: Box::new(source) }
    };
    let same_mac = |a: &LinkAttribute| matches!(a, LinkAttribute::Address(b) if b[..] == want.mac.0);
    if !link.attributes.iter().any(same_mac) {
        let change = LinkUnspec::new_with_index(index).address(want.mac.0.to_vec()).build();
        handle.link().set(change).execute().await.map_err(fail("the MAC address"))?;
    }
    let same_mtu = |a: &LinkAttribute| matches!(a, LinkAttribute::Mtu(m) if *m == u32::from(want.mtu));
    if !link.attributes.iter().any(same_mtu) {
        let change = LinkUnspec::new_with_index(index).mtu(u32::from(want.mtu)).build();
        handle.link().set(change).execute().await.map_err(fail("the MTU"))?;
    }
    if !link.header.flags.contains(LinkFlags::Up) {
        let change = LinkUnspec::new_with_index(index).up().build();
        handle.link().set(change).execute().await.map_err(fail("state up"))?;
    }
    for (key, value) in [
        (format!("net/ipv6/conf/{}/accept_ra", want.name), "0"),
        (format!("net/ipv6/conf/{}/accept_redirects", want.name), "0"),
        (format!("net/ipv4/conf/{}/accept_redirects", want.name), "0"),
    ] {
        let done = within(want.namespace.as_deref(), || sysctl(&key, value));
        done.map_err(|source| Error::Namespace {
            name: want.namespace.clone().unwrap_or_default(),
            source,
        })??;
    }
    Ok(index)
}

/// Keeps the kernel from answering on an interface whose packets an AF_PACKET or AF_XDP port takes:
/// the kernel sees a copy of each, and the host port already gave it the ones it is to answer.
///
/// Link up, no ARP, no IPv6, no IPv4 forwarding, and strict reverse-path filtering: a source that is
/// routed through the host port is then refused here. `mac`: the Ethernet address that it takes, which
/// the device then has too. Returns what was done, for the log.
///
/// # Errors
/// No such interface, or the kernel refused.
pub async fn quiet_backing_interface(
    handle: &Handle,
    name: &str,
    mac: Option<MacAddr>,
) -> Result<Vec<String>, Error> {
    let link = find(handle, name).await?;
    let change = LinkUnspec::new_with_index(link.header.index).arp(false).up().build();
    handle.link().set(change).execute().await.map_err(|source| Error::LinkSet {
        name: name.to_owned(),
        what: "state up, arp off",
        source: Box::new(source),
    })?;
    let mut done = vec!["up".to_owned(), "arp off".to_owned()];
    if let Some(mac) = mac {
        let change = LinkUnspec::new_with_index(link.header.index).address(mac.0.to_vec()).build();
        handle.link().set(change).execute().await.map_err(|source| Error::LinkSet {
            name: name.to_owned(),
            what: "the gateway's MAC address",
            source: Box::new(source),
        })?;
        done.push(format!("address {mac}"));
    }
    for (key, value) in [
        (format!("net/ipv6/conf/{name}/disable_ipv6"), "1"),
        (format!("net/ipv4/conf/{name}/rp_filter"), "1"),
        (format!("net/ipv4/conf/{name}/forwarding"), "0"),
    ] {
        sysctl(&key, value)?;
        done.push(format!("{key}={value}"));
    }
    Ok(done)
}

/// /proc/sys/net shows the network namespace of the thread that opens it: ours.
fn sysctl(key: &str, value: &'static str) -> Result<(), Error> {
    let path = format!("/proc/sys/{key}");
    match std::fs::write(&path, value) {
        // A kernel without IPv6 has nothing to switch off.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && key.starts_with("net/ipv6") => Ok(()),
        Err(source) => Err(Error::Sysctl { path, value, source }),
        Ok(()) => Ok(()),
    }
}

async fn find(handle: &Handle, name: &str) -> Result<LinkMessage, Error> {
    // A failed look-up by name answers ENODEV: for the operator that is "no such interface".
    let mut links = handle.link().get().match_name(name.to_owned()).execute();
    match links.try_next().await {
        Ok(Some(link)) => Ok(link),
        Ok(None) | Err(_) => Err(Error::NoInterface { name: name.to_owned() }),
    }
}
