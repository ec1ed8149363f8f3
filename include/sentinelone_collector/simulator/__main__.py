"""Run the simulator: `python -m sentinelone_collector.simulator`."""

from __future__ import annotations

import sys

from sentinelone_collector.simulator.main import main

if __name__ == "__main__":
    sys.exit(main())
