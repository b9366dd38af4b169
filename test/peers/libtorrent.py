# One libtorrent session as a black box. The job comes as JSON in argv[1];
# prints "metadata", "ready" (checked and seeding) and "complete", then stays.
import json, sys, time
import libtorrent as lt

job = json.loads(sys.argv[1])
enc = {"": 1, "forbid": 2, "require": 0}[job.get("Encrypt", "")]
settings = {
    "listen_interfaces": "%s:%d" % (job["Addr"], job["Port"]),
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_dht": bool(job.get("DHT")),
    "dht_bootstrap_nodes": ",".join(job.get("DHTNodes") or []),
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "dht_ignore_dark_internet": False, "dht_prefer_verified_node_ids": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "out_enc_policy": enc, "in_enc_policy": enc, "allowed_enc_level": 3,
    "allow_multiple_connections_per_ip": False,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification | lt.alert.category_t.peer_notification | lt.alert.category_t.dht_notification | (lt.alert.category_t.dht_log_notification if job.get("Trace") else 0),
}
ses = lt.session(settings)
if job.get("Torrent"):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(job["Torrent"])
else:
    params = lt.parse_magnet_uri(job["Magnet"])
params.save_path = job["Dir"]
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = ses.add_torrent(params)
for p in job.get("Peers") or []:
    host, port = p.rsplit(":", 1)
    handle.connect_peer((host, int(port)))
said = set()


def say(word):
    if word not in said:
        said.add(word)
        print(word, flush=True)


while True:
    ses.wait_for_alert(20)
    for a in ses.pop_alerts():
        if isinstance(a, lt.dht_bootstrap_alert):
            # Added before the DHT was up, it would next be announced in 15 minutes.
            handle.force_dht_announce()
        if job.get("Trace") and "dht" in type(a).__name__:
            print("alert", a.message(), file=sys.stderr, flush=True)
        if isinstance(a, (lt.torrent_error_alert, lt.hash_failed_alert, lt.peer_ban_alert, lt.peer_error_alert)):
            print("alert", a.message(), file=sys.stderr, flush=True)
    st = handle.status()
    if st.has_metadata:
        say("metadata")
    if st.is_seeding:
        say("ready")
        say("complete")
    if job.get("Trace"):
        now = int(time.time())
        if now != job.get("_t"):
            job["_t"] = now
            print("peers %d rate %d progress %.3f" % (st.num_peers, st.download_rate, st.progress), file=sys.stderr, flush=True)
