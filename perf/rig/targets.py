"""What is aimed at on this class of machine, by metric: at most (<=) or at least (>=)."""

AIMS = {
    "encap_v4in4_1k_cycles": ("<=", 36), "encap_v4in4_100k_cycles": ("<=", 65), "encap_v4in4_1m_cycles": ("<=", 90),
    "encap_v6in4_1k_cycles": ("<=", 50), "encap_v6in4_100k_cycles": ("<=", 85), "encap_v6in4_1m_cycles": ("<=", 120),
    "decap_v4in4_1k_cycles": ("<=", 32), "decap_v4in4_100k_cycles": ("<=", 42), "decap_v4in4_1m_cycles": ("<=", 50),
    "lpm_v6_200k_ns": ("<=", 40), "lpm_update_us_p99": ("<=", 2), "lpm_refused_inserts": ("<=", 0),
    "wire_encap_of_io_percent": (">=", 75), "wire_encap_of_macswap_percent": (">=", 100),
    "churn_100k_lost_packets": ("<=", 0), "churn_100k_rate_ratio": (">=", 0.95),
    "flood_hit_lost_packets": ("<=", 0), "flood_hit_rate_ratio": (">=", 0.90),
    "failover_1m_ms": ("<=", 10), "memory_1m_bytes_per_mapping_replica": ("<=", 64),
    "scale_2_workers_ratio": (">=", 1.9), "loop_system_calls": ("<=", 0), "loop_page_faults": ("<=", 0),
}


def verdict(metric, value):
    """The aim in words and whether it is met; empty where there is none."""
    if metric not in AIMS:
        return "", ""
    sign, aim = AIMS[metric]
    met = value <= aim if sign == "<=" else value >= aim
    return f"{sign} {aim:g}", "met" if met else "missed"
