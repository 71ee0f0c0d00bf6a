#!/bin/sh
# Moves one live database. Set the two addresses first; nothing else is needed:
#
#   export WALFERRY_SOURCE='postgresql://user:password@old-host/shop'
#   export WALFERRY_TARGET='postgresql://user:password@new-host/shop'
#   ./run.sh
set -eu
: "${WALFERRY_SOURCE:?set it to the URI of the database to move}"
: "${WALFERRY_TARGET:?set it to the URI of an empty database on the new server}"

# Copies everything while the application goes on, then applies what has changed
# since, until the target is within 1 MB of the source. Interrupted or killed, it
# continues where it was when it is run again. The source keeps its slot, and with
# it WAL, so do not leave it alone for days after this.
walferry migrate --max-replication-lag 1000000

printf 'The target has caught up. Stop the application now, then press Enter: '
read -r _

# Applies the rest, sets the sequences, restores foreign keys and triggers, and
# drops the slot and the publications on the source.
walferry migrate --max-replication-lag 0 --stop-replication

echo 'Done: start the application with the new address.'
