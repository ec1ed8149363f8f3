"""`python -m sentinelone_collector.local up|down|status`."""

import logging
import sys

from sentinelone_collector.local.start import main

logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
logging.getLogger("sentinelone_collector").setLevel(logging.INFO)
sys.exit(main(sys.argv[1:]))
