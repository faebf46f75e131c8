/*
 * The seam between Rust and DPDK: the static inlines that the packet path needs, at burst
 * granularity, and flat structs in place of DPDK's, so that all differences between releases
 * (22.11 to 25.11) stay in shim.c.
 *
 * Errors are negative errno values everywhere.
 */
#ifndef PXTR_SHIM_H
#define PXTR_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

/*
 * Where the fields of struct rte_mbuf are. The paths to them differ between releases (anonymous
 * unions), the offsets do not. bindgen turns these into Rust constants; pxtr_layout() gives the
 * same values as the C compiler saw them, and Rust compares both before the EAL starts.
 */
enum {
	PXTR_MBUF_SIZE = sizeof(struct rte_mbuf),
	PXTR_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	PXTR_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	PXTR_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	PXTR_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	PXTR_MBUF_PORT = offsetof(struct rte_mbuf, port),
	PXTR_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	PXTR_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	PXTR_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	PXTR_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len),
	PXTR_MBUF_TX_OFFLOAD = offsetof(struct rte_mbuf, tx_offload),
	PXTR_MBUF_LAYOUT_WORDS = 11,
	PXTR_HEADROOM = RTE_PKTMBUF_HEADROOM,
	/* Bits of l2_len and of l3_len in tx_offload, lowest first. */
	PXTR_TX_L2_BITS = RTE_MBUF_L2_LEN_BITS,
	PXTR_TX_L3_BITS = RTE_MBUF_L3_LEN_BITS,
};

static const uint64_t PXTR_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t PXTR_RX_IP_CKSUM_BAD = RTE_MBUF_F_RX_IP_CKSUM_BAD;
static const uint64_t PXTR_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t PXTR_RX_L4_CKSUM_MASK = RTE_MBUF_F_RX_L4_CKSUM_MASK;
static const uint64_t PXTR_RX_L4_CKSUM_BAD = RTE_MBUF_F_RX_L4_CKSUM_BAD;
static const uint64_t PXTR_RX_L4_CKSUM_GOOD = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
static const uint64_t PXTR_TX_IPV4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t PXTR_TX_IP_CKSUM = RTE_MBUF_F_TX_IP_CKSUM;
static const uint64_t PXTR_TX_OFFLOAD_MASK = RTE_MBUF_F_TX_OFFLOAD_MASK;

/* Fills `words` in the order of the enum above, PXTR_MBUF_SIZE first. */
void pxtr_layout(uint32_t words[PXTR_MBUF_LAYOUT_WORDS]);

/* The EAL, threads. */
int pxtr_eal_init(int argc, char **argv);
const char *pxtr_version(void);
/* The directory that the EAL made for files, which it needs none of as we start it. */
const char *pxtr_runtime_dir(void);
uint64_t pxtr_tsc_hz(void);
/* Binds the calling thread to one CPU. */
/* Not 0 when the CPU has what x86-64-v3 adds. May be called at any time. */
int pxtr_cpu_is_x86_64_v3(void);
int pxtr_pin(unsigned int cpu);
/* The CPUs the calling thread may use: sets bytes of `cpus` (0 or 1), returns how many. */
int pxtr_allowed_cpus(uint8_t *cpus, unsigned int len);
int pxtr_thread_register(void);
void pxtr_thread_unregister(void);
/* NUMA node of a CPU as the EAL sees it, -1 when it does not know. */
int pxtr_socket_of_cpu(unsigned int cpu);

/* Pools and mbufs. */
struct rte_mempool *pxtr_pool_create(const char *name, unsigned int count, unsigned int cache,
				     uint16_t data_room, int socket, int *err);
unsigned int pxtr_pool_available(const struct rte_mempool *pool);
struct rte_mbuf *pxtr_mbuf_alloc(struct rte_mempool *pool);
void pxtr_mbuf_free(struct rte_mbuf *m);
void pxtr_mbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int count);
/* Chains only: cut to `len` bytes (fewer than it has), free the segments behind. */
void pxtr_mbuf_truncate_chain(struct rte_mbuf *m, uint32_t len);
/* Chains only: copy everything into the first segment. Fails when it does not fit. */
int pxtr_mbuf_linearize(struct rte_mbuf *m);
/* Internet checksum of all bytes from `at` on: native words added up and folded. */
uint16_t pxtr_mbuf_sum(const struct rte_mbuf *m, uint32_t at);
void pxtr_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);

/* Bursts. */
uint16_t pxtr_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t pxtr_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
/* The same with rte_eth_tx_prepare() first, for ports with transmit offloads on. */
uint16_t pxtr_tx_burst_prepared(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);

/* Devices. */
int pxtr_dev_probe(const char *devargs);
int pxtr_vdev_remove(const char *name);
int pxtr_port_by_name(const char *name, uint16_t *port);

struct pxtr_port_info {
	char driver[64];
	int32_t socket;
	uint32_t max_rx_pktlen;
	uint16_t min_mtu;
	uint16_t max_mtu;
	uint16_t max_rx_queues;
	uint16_t max_tx_queues;
	uint8_t rss;
	uint8_t rx_ip_checksum;
	uint8_t rx_l4_checksum;
	uint8_t rx_scatter;
	uint8_t tx_ip_checksum;
	uint8_t tx_multi_segs;
};

struct pxtr_port_conf {
	uint16_t rx_queues;
	uint16_t tx_queues;
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	uint16_t mtu;
	uint8_t rss;
	uint8_t rx_ip_checksum;
	uint8_t rx_l4_checksum;
	uint8_t rx_scatter;
	uint8_t tx_ip_checksum;
	uint8_t tx_multi_segs;
};

/* Which step of pxtr_port_configure() or pxtr_port_start() failed. */
enum pxtr_step {
	PXTR_STEP_INFO,
	PXTR_STEP_CONFIGURE,
	PXTR_STEP_MTU,
	PXTR_STEP_DESCRIPTORS,
	PXTR_STEP_RX_QUEUE,
	PXTR_STEP_TX_QUEUE,
	PXTR_STEP_START,
};

struct pxtr_link {
	uint32_t speed_mbps; /* 0: unknown */
	uint8_t up;
	uint8_t full_duplex;
};

struct pxtr_stats {
	uint64_t rx_packets;
	uint64_t tx_packets;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t rx_missed;
	uint64_t rx_errors;
	uint64_t tx_errors;
	uint64_t rx_no_mbuf;
};

struct pxtr_xstat {
	char name[64];
	uint64_t value;
};

int pxtr_port_info(uint16_t port, struct pxtr_port_info *info);
int pxtr_port_configure(uint16_t port, const struct pxtr_port_conf *conf, struct rte_mempool *pool,
			enum pxtr_step *step);
int pxtr_port_start(uint16_t port);
/* Stops and closes: the port number is free afterwards. */
void pxtr_port_close(uint16_t port);
int pxtr_port_promiscuous(uint16_t port, int on);
int pxtr_port_all_multicast(uint16_t port, int on);
int pxtr_port_mac(uint16_t port, uint8_t mac[6]);
int pxtr_port_link(uint16_t port, struct pxtr_link *link);
int pxtr_port_stats(uint16_t port, struct pxtr_stats *stats);
/* Writes up to `len` of them, returns how many there are. */
int pxtr_port_xstats(uint16_t port, struct pxtr_xstat *out, unsigned int len);

/* Rings: two net_ring ports back to back in one process, for tests and benches. */
struct rte_ring *pxtr_ring_create(const char *name, unsigned int size);
void pxtr_ring_drain_and_free(struct rte_ring *ring);
int pxtr_port_from_rings(const char *name, struct rte_ring **rx, struct rte_ring **tx, unsigned int queues);

#endif
