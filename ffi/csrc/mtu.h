/* MTUs above what a driver admits to. */
#ifndef PXTR_MTU_H
#define PXTR_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

/*
 * Whether ethdev would refuse `mtu` only because the driver understates its largest frame: the
 * 22.11 drivers net_af_packet, net_tap and net_memif name the classic Ethernet frame but move what
 * fits their buffers. Newer ones tell the truth.
 */
bool pxtr_mtu_understated(const struct rte_eth_dev_info *dev, uint16_t mtu);

/* Sets the MTU of a configured, stopped port, past the driver's understatement where there is one. */
int pxtr_mtu_apply(uint16_t port, const struct rte_eth_dev_info *dev, uint16_t mtu);

#endif
