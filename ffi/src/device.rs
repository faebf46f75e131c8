//! Names of devices: what the configuration says, and what DPDK wants to hear.

use crate::error::Error;

/// Kinds of device that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A NIC by PCI address, bound to vfio-pci.
    Pci,
    /// A kernel interface through AF_PACKET rings.
    AfPacket,
    /// A kernel interface through AF_XDP.
    AfXdp,
    /// A new kernel interface whose other side is the port.
    Tap,
    /// Shared memory with another process.
    Memif,
    /// Rings inside this process.
    Ring,
    /// Receives empty frames, sends to nowhere.
    Null,
    /// Packet capture files, or an interface through libpcap.
    Pcap,
}

const VDEVS: [(&str, Device); 7] = [
    ("net_af_packet", Device::AfPacket),
    ("net_af_xdp", Device::AfXdp),
    ("net_tap", Device::Tap),
    ("net_memif", Device::Memif),
    ("net_ring", Device::Ring),
    ("net_null", Device::Null),
    ("net_pcap", Device::Pcap),
];

/// Ethernet header, two VLAN tags, CRC: what a frame may have on top of the IP MTU.
pub(crate) const FRAME_OVERHEAD: u32 = 14 + 8 + 4;

/// A device, checked and spelled as DPDK wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Which kind.
    pub kind: Device,
    /// DPDK's name of the port: the PCI address, or the vdev with its number.
    pub name: String,
    /// Name and arguments, as for `--vdev` or `-a`.
    pub devargs: String,
}

impl DeviceSpec {
    /// Checks `device` (a PCI address, or a vdev with or without a number) and its arguments, and
    /// adds those that follow from the number of queues and the IP MTU. `unit` numbers a vdev that has
    /// no number of its own.
    ///
    /// # Errors
    /// Unknown devices, missing arguments.
    pub fn new(device: &str, args: &str, unit: u16, queues: u16, mtu: u16) -> Result<Self, Error> {
        let args = args.trim().trim_matches(',');
        if let Some(address) = pci_address(device) {
            return Ok(Self { kind: Device::Pci, devargs: join(&address, args), name: address });
        }
        let known = VDEVS.iter().find_map(|(prefix, kind)| Some((*kind, device.strip_prefix(prefix)?)));
        let Some((kind, rest)) = known else { return Err(Error::UnknownDevice(device.into())) };
        if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::UnknownDevice(device.into()));
        }
        let name = if rest.is_empty() { format!("{device}{unit}") } else { device.to_owned() };
        require(kind, device, args)?;
        let mut devargs = join(&name, args);
        for (key, value) in derived(kind, queues, mtu) {
            if !has(args, key) {
                devargs.push_str(&format!(",{key}={value}"));
            }
        }
        Ok(Self { kind, name, devargs })
    }

    /// Frames an mbuf has to hold for this device at this MTU, bytes.
    #[must_use]
    pub fn frame_room(&self, mtu: u16) -> u16 {
        let frame = u32::from(mtu) + FRAME_OVERHEAD;
        let room = match self.kind {
            // The driver refuses mbufs that do not hold a whole ring frame.
            Device::AfPacket => value(&self.devargs, "framesz").unwrap_or_else(|| frame_size(mtu)),
            _ => frame,
        };
        u16::try_from(room.max(2048)).unwrap_or(u16::MAX)
    }
}

/// The address with its domain, if `device` is one.
fn pci_address(device: &str) -> Option<String> {
    let parts: Vec<&str> = device.split(':').collect();
    let (domain, bus, rest) = match parts.as_slice() {
        [domain, bus, rest] => (*domain, *bus, *rest),
        [bus, rest] => ("0000", *bus, *rest),
        _ => return None,
    };
    let (slot, function) = rest.split_once('.')?;
    let hex = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    (hex(domain, 4) && hex(bus, 2) && hex(slot, 2) && hex(function, 1))
        .then(|| format!("{domain}:{bus}:{slot}.{function}").to_ascii_lowercase())
}

fn join(name: &str, args: &str) -> String {
    if args.is_empty() { name.to_owned() } else { format!("{name},{args}") }
}

fn has(args: &str, key: &str) -> bool {
    args.split(',').any(|arg| arg.split('=').next() == Some(key))
}

fn value(args: &str, key: &str) -> Option<u32> {
    args.split(',').find_map(|arg| arg.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
}

fn require(kind: Device, device: &str, args: &str) -> Result<(), Error> {
    let missing =
        |argument, example| Err(Error::MissingArgument { device: device.into(), argument, example });
    match kind {
        Device::AfPacket if !has(args, "iface") => missing("iface", "iface=eth1"),
        Device::AfXdp if !has(args, "iface") => missing("iface", "iface=eth1,start_queue=0"),
        Device::Pcap if !["rx_pcap", "rx_iface", "iface"].iter().any(|key| has(args, key)) => {
            missing("rx_pcap", "rx_pcap=in.pcap,tx_pcap=out.pcap")
        }
        _ => Ok(()),
    }
}

/// Arguments that follow from queues and MTU, unless the operator gave them.
fn derived(kind: Device, queues: u16, mtu: u16) -> Vec<(&'static str, u32)> {
    match kind {
        Device::AfPacket => {
            let frame = frame_size(mtu);
            // A ring of 4 MiB or so each way: room for what arrives while a shared core is away.
            let frames = if frame > 2048 { 512 } else { 2048 };
            vec![
                ("qpairs", u32::from(queues)),
                ("framesz", frame),
                ("blocksz", block_size(frame)),
                ("framecnt", frames),
            ]
        }
        Device::AfXdp if queues > 1 => vec![("queue_count", u32::from(queues))],
        Device::Memif if mtu > 1500 => {
            vec![("bsize", (u32::from(mtu) + FRAME_OVERHEAD).next_multiple_of(128))]
        }
        _ => Vec::new(),
    }
}

/// Frame of a TPACKET_V2 ring: the kernel puts up to 80 bytes in front of the packet.
fn frame_size(mtu: u16) -> u32 {
    (u32::from(mtu) + FRAME_OVERHEAD + 80).next_multiple_of(1024)
}

/// A block of the ring: whole pages, and whole frames, as the driver maps frames back to back.
fn block_size(frame: u32) -> u32 {
    const PAGE: u32 = 4096;
    (1..=4).map(|frames| frames * frame).find(|bytes| bytes.is_multiple_of(PAGE)).unwrap_or(PAGE * frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(device: &str, args: &str, queues: u16, mtu: u16) -> DeviceSpec {
        DeviceSpec::new(device, args, 3, queues, mtu).expect("valid device")
    }

    #[test]
    fn pci_addresses_get_their_domain() {
        let nic = spec("3B:00.1", "", 1, 1500);
        assert_eq!((nic.kind, nic.name.as_str()), (Device::Pci, "0000:3b:00.1"));
        assert_eq!(spec("0001:3b:00.1", "a=1", 1, 1500).devargs, "0001:3b:00.1,a=1");
    }

    #[test]
    fn a_vdev_without_number_gets_the_unit() {
        assert_eq!(spec("net_null", "size=64", 1, 1500).devargs, "net_null3,size=64");
        assert_eq!(spec("net_tap_h7", "iface=x", 1, 1500).name, "net_tap_h7");
    }

    #[test]
    fn af_packet_frames_fit_the_mtu_and_blocks_hold_whole_frames() {
        for mtu in [576, 1500, 1900, 2000, 4000, 9000, 9216] {
            let port = spec("net_af_packet", "iface=eth1", 2, mtu);
            let frame = value(&port.devargs, "framesz").expect("framesz");
            let block = value(&port.devargs, "blocksz").expect("blocksz");
            assert!(frame >= u32::from(mtu) + 18 + 80 && frame.is_multiple_of(16), "{}", port.devargs);
            assert!(block.is_multiple_of(frame) && block.is_multiple_of(4096), "{}", port.devargs);
            assert!(u32::from(port.frame_room(mtu)) >= frame, "{}", port.devargs);
            assert!(port.devargs.contains("qpairs=2"), "{}", port.devargs);
        }
    }

    #[test]
    fn what_the_operator_says_wins() {
        let port = spec("net_af_packet", "iface=eth1,framesz=16384,blocksz=16384", 1, 9000);
        assert_eq!(port.devargs.matches("framesz=").count(), 1);
        assert_eq!(port.frame_room(9000), 16384);
    }

    #[test]
    fn mistakes_are_told_with_a_remedy() {
        let text = |device: &str, args: &str| {
            DeviceSpec::new(device, args, 0, 1, 1500).expect_err("refused").to_string()
        };
        assert!(text("eth0", "").contains("net_af_packet"));
        assert!(text("net_af_packet", "").contains("iface=eth1"));
        assert!(text("net_pcap", "tx_pcap=x").contains("rx_pcap"));
        assert!(text("net_ring/x", "").contains("unknown"));
        assert!(text("00:1f", "").contains("unknown"));
    }
}
