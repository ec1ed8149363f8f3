"""`python -m sentinelone_collector.local up|down|status`."""

import logging
import sys

from sentinelone_collector.local.start import main

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
sys.exit(main(sys.argv[1:]))
