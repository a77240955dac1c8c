#!/usr/bin/env bash
# Runs a command beside a real S3 server, Ceph's RGW with one monitor and one store in memory, on loopback, and stops it after:
#
#   rgw.sh COMMAND…        DSV_TEST_S3 tells the command "endpoint key secret key secret …"
#
# Everything is below a temporary folder. Needs Debian's ceph-mon, ceph-osd, ceph-common and radosgw.
set -euo pipefail

folder=$(mktemp -d "${TMPDIR:-/tmp}/dsv-rgw.XXXXXX")
pids=()
stop() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ $status -ne 0 ] && [ -n "${KEEP_LOGS:-}" ]; then cp "$folder"/*.log "$KEEP_LOGS"; fi
  rm -rf "$folder"
}
trap stop EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { # seconds, what, command…
  local left=$(($1 * 5)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "rgw.sh: $what does not come up; last words:" >&2; tail -n 5 "$folder"/*.log >&2; exit 1; }
    sleep 0.2
  done
}

mon_port=$(free_port) s3_port=$(free_port) cluster=$(cat /proc/sys/kernel/random/uuid)
key=dsvtests secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
mkdir "$folder"/{mon,osd,rgw,run}
cat > "$folder/ceph.conf" <<CONF
[global]
fsid = $cluster
mon_host = v1:127.0.0.1:$mon_port
mon_initial_members = a
public_network = 127.0.0.0/8
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $folder/run
admin_socket = $folder/run/\$name.\$pid.asok
log_file = $folder/\$name.log
crash_dir = $folder/run
mon_data = $folder/mon
osd_data = $folder/osd
rgw_data = $folder/rgw
keyring = $folder/none
setuser_match_path =
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:$s3_port
rgw_dns_name = s3.localhost
rgw_thread_pool_size = 32
CONF
ceph() { command ceph -c "$folder/ceph.conf" --connect-timeout 5 "$@"; }

monmaptool --create --addv a "[v1:127.0.0.1:$mon_port]" --fsid "$cluster" "$folder/monmap" >/dev/null
ceph-mon -c "$folder/ceph.conf" --mkfs -i a --monmap "$folder/monmap" >/dev/null
ceph-mon -c "$folder/ceph.conf" -f -i a >/dev/null 2>&1 & pids+=($!)
wait_for 60 'the monitor' ceph -s

store=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$store" >/dev/null
ceph-osd -c "$folder/ceph.conf" -i 0 --mkfs --osd-uuid "$store" >/dev/null 2>&1
ceph osd crush add osd.0 1.0 root=default host=localhost >/dev/null 2>&1
start_store() { ceph-osd -c "$folder/ceph.conf" -f -i 0 >/dev/null 2>&1 & store_pid=$! pids+=($!); }
store_is_up() {
  ceph osd stat | grep -q '1 up' && return
  # It may ask the monitor for its place before it knows the cluster, which ends it: "wrong fsid".
  kill -0 "$store_pid" || start_store
  return 1
}
start_store
wait_for 60 'the store' store_is_up

radosgw-admin -c "$folder/ceph.conf" user create --uid=dsv --display-name=dsv --access-key="$key" --secret-key="$secret" \
  >/dev/null 2>&1
more=
for number in 2 3 4; do
  radosgw-admin -c "$folder/ceph.conf" key create --uid=dsv --key-type=s3 --access-key="$key$number" --secret-key="$secret" \
    >/dev/null 2>&1
  more+=" $key$number $secret"
done
radosgw -c "$folder/ceph.conf" -f -n client.rgw.a >/dev/null 2>&1 & pids+=($!)
wait_for 60 'the gateway' python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$s3_port/')"

echo "rgw.sh: Ceph $(radosgw --version | cut -d' ' -f3) serves S3"
DSV_TEST_S3="http://127.0.0.1:$s3_port $key $secret$more" "$@"
