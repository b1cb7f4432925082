/*
 * Who is at the other end, when proxies stand between: whose word counts, and whose does not.
 */
#include "t/api/rig.h"

static const char *const proxies[] = { "10.0.0.0/8", "2001:db8:1::/48", "192.0.2.9", "::1", "nonsense", "1.2.3.4/40" };

static const char *
peer_with(const char *peer, const char *xff)
{
	ask("GET", "/api/who");
	rq.peer = peer;
	rq.h.x_forwarded_for = xff;
	go();
	return rq.peer;
}

static void
test_lists(void)
{
	static char longest[4096], spoof[] = "203.0.113.7, 198.51.100.1";

	cfg.trust_forwarded = true;
	is_str(peer_with("10.1.2.3", "198.51.100.1"), "198.51.100.1", "a trusted proxy names the client");
	is_str(rq.front_peer, "10.1.2.3", "and is remembered itself");
	is_str(peer_with("10.1.2.3", spoof), "198.51.100.1", "what the client wrote before counts for nothing");
	is_str(peer_with("10.1.2.3", "198.51.100.1, 10.9.9.9,192.0.2.9"), "198.51.100.1", "trusted proxies in between are passed over");
	is_str(peer_with("10.1.2.3", "198.51.100.1,\t2001:db8:1::5 "), "198.51.100.1", "of both families");
	is_str(peer_with("::ffff:10.1.2.3", "198.51.100.1"), "198.51.100.1", "an IPv4 proxy may be written as IPv6");
	is_str(peer_with("::1", "2001:DB8:0:0::7"), "2001:db8::7", "an IPv6 client is one, however it is written");
	is_str(peer_with("10.1.2.3", "[2001:db8::7]:4711"), "2001:db8::7", "a port behind it is left out");
	is_str(peer_with("10.1.2.3", "198.51.100.1:4711"), "198.51.100.1", "behind an IPv4 one too");
	is_str(peer_with("10.1.2.3", "::ffff:198.51.100.1"), "198.51.100.1", "and a mapped one is the IPv4 one");
	is_str(peer_with("10.1.2.3", "10.0.0.1, 10.0.0.2"), "10.1.2.3", "a list of proxies alone names nobody");
	for (size_t i = 0; i < 200; i++)
		memcpy(longest + i * 9, "10.0.0.1,", 9);
	memcpy(longest + 200 * 9 - 1, "", 1);
	memcpy(longest, "198.51.10", 9);
	is_str(peer_with("10.1.2.3", longest), "10.1.2.3", "nor does one without end");
}

static void
test_hostile(void)
{
	static const char *const all[] = {
		"", ",", ",,,", " ", "unknown", "198.51.100.1, unknown", "198.51.100.1,", "<script>", "1.2.3", "1.2.3.4.5",
		"300.1.1.1", "[", "[]", "[::1", "]", "::1%eth0", "1.2.3.4/8", "\"\"", "\xff\xfe", "::::", "a:b",
		"198.51.100.1 198.51.100.2", "0x7f.1", "198.51.100.1\n",
	};

	cfg.trust_forwarded = true;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		is_str(peer_with("10.1.2.3", all[i]), "10.1.2.3", "what is no address names nobody (%zu)", i);
}

static void
test_untrusted(void)
{
	cfg.trust_forwarded = true;
	is_str(peer_with("203.0.113.5", "198.51.100.1"), "203.0.113.5", "somebody else is believed nothing");
	is_str(peer_with("11.0.0.1", "198.51.100.1"), "11.0.0.1", "nor a neighbour of a trusted network");
	is_str(peer_with("2001:db8:2::1", "198.51.100.1"), "2001:db8:2::1", "of either family");
	is_str(peer_with("1.2.3.4", "198.51.100.1"), "1.2.3.4", "an entry that makes no sense trusts nobody");
	is_str(peer_with("garbage", "198.51.100.1"), "garbage", "a peer without an address is no proxy");
	cfg.trust_forwarded = false;
	is_str(peer_with("10.1.2.3", "198.51.100.1"), "10.1.2.3", "without trust_forwarded_for no header counts");
}

static void
test_others(void)
{
	cfg.trust_forwarded = true;
	ask("GET", "/api/who");
	rq.peer = "10.1.2.3";
	rq.h.x_real_ip = "198.51.100.2";
	rq.h.cf_connecting_ip = "198.51.100.3";
	go();
	is_str(rq.peer, "198.51.100.2", "X-Real-IP counts when nothing better is there");
	ask("GET", "/api/who");
	rq.peer = "10.1.2.3";
	rq.h.cf_connecting_ip = "198.51.100.3";
	go();
	is_str(rq.peer, "198.51.100.3", "so does CF-Connecting-IP");
	ask("GET", "/api/who");
	rq.peer = "10.1.2.3";
	rq.h.x_forwarded_for = "198.51.100.1";
	rq.h.x_real_ip = "198.51.100.2";
	rq.h.cf_connecting_ip = "198.51.100.3";
	go();
	is_str(rq.peer, "198.51.100.1", "but X-Forwarded-For comes first: the client may have written the others");
	ask("GET", "/api/who");
	rq.control = true;
	rq.peer = "local";
	rq.h.x_forwarded_for = "198.51.100.1";
	go();
	is_str(rq.peer, "local", "the command's own socket has no proxies");
}

static int
open_with(const char *peer, const char *xff)
{
	ask("GET", "/api/who");
	rq.peer = peer;
	rq.h.x_forwarded_for = xff;
	return go();
}

/* Without a key whoever uses this machine is the owner: nobody becomes that by a header. */
static void
test_open(void)
{
	const char *hash = cfg.key_hash;

	cfg.open_mode = true;
	cfg.key_hash = NULL;
	cfg.trust_forwarded = true;
	is_int(open_with("127.0.0.1", NULL), 200, "open mode serves this machine");
	is_int(open_with("127.0.0.1", "127.0.0.1"), 200, "also when a front server on it says so");
	is_int(open_with("127.0.0.1", "198.51.100.1"), 401, "but not those whom a proxy on this machine speaks for");
	is_int(open_with("10.1.2.3", "127.0.0.1"), 401, "nor somebody whom a proxy elsewhere calls local");
	is_int(open_with("203.0.113.5", "127.0.0.1"), 401, "nor somebody who says so themselves");
	is_int(open_with("::1", "198.51.100.1"), 401, "nor the client of a trusted proxy");
	cfg.trust_forwarded = false;
	is_int(open_with("127.0.0.1", "198.51.100.1"), 401, "the list need not be trusted for that");
	cfg.open_mode = false;
	cfg.key_hash = hash;
}

static void
test_limit(void)
{
	cfg.trust_forwarded = true;
	cfg.api_requests_per_minute = 10;
	for (int i = 0; i < 2; i++) {
		peer_with("10.7.7.7", "198.51.100.77");
		is_int(re.status, 200, "a client behind a proxy has a budget");
	}
	peer_with("10.7.7.7", "198.51.100.77");
	is_int(re.status, 429, "that ends");
	ok(standard_shape("rate_limited") && has_header("\r\nRetry-After: 60\r\n"), "with the usual answer");
	peer_with("10.8.8.8", "198.51.100.77");
	is_int(re.status, 429, "behind another proxy too");
	peer_with("10.7.7.7", "198.51.100.78");
	is_int(re.status, 200, "its neighbour has one of its own");
	for (int i = 0; i < 2; i++)
		peer_with("203.0.113.6", i == 0 ? "198.51.100.80" : "198.51.100.81");
	peer_with("203.0.113.6", "198.51.100.82");
	is_int(re.status, 429, "who is not trusted cannot take another's");
	cfg.api_requests_per_minute = 4000000000u;
}

int
main(void)
{
	rig_open();
	cfg.trusted_proxies = proxies;
	cfg.n_proxies = ARRAY_LEN(proxies);
	test_lists();
	test_hostile();
	test_untrusted();
	test_others();
	test_open();
	test_limit();
	rig_close();
	return done();
}
