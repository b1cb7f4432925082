/* The SSRF guard: spellings of addresses, ranges, exceptions. */
#include <json-c/json.h>

#include "lib/net/guard.h"
#include "t/tap.h"

static const char *const refused[] = {
	"127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0x7f.1", "0177.0.0.01", "127.0.1",
	"0.0.0.0", "0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
	"169.254.169.254", "0xa9fea9fe", "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192",
	"192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1",
	"255.255.255.255", "::", "::1", "[::1]", "::2", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
	"::127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1",
	"64:ff9b:1::1", "2002:7f00:1::", "2002:0a00:0001::1", "2001:0:7f00:1::", "2001:0:808:808:0:0:f5ff:fffe",
	"fe80::1", "fe80::1%eth0", "febf::1", "fc00::1", "fdff::1", "fd00:ec2::254", "ff02::1", "fec0::1",
	"2001:db8::1", "100::1", "4000::1", "not an address", "", "1.2.3.4.5", "::ffff:0:127.0.0.1",
};
static const char *const open_to_all[] = {
	"8.8.8.8", "1.1.1.1", "134744072", "172.32.0.1", "172.15.0.1", "100.63.255.255", "100.128.0.1",
	"192.169.0.1", "198.20.0.1", "2606:4700::1111", "[2606:4700::1111]", "::ffff:8.8.8.8",
	"64:ff9b::808:808", "2002:808:808::1",
};

static void
ranges(void)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		ok(addr_refused(refused[i], NULL, NULL), "refused: \"%s\"", refused[i]);
	for (size_t i = 0; i < ARRAY_LEN(open_to_all); i++)
		ok(!addr_refused(open_to_all[i], NULL, NULL), "public: \"%s\"", open_to_all[i]);
}

static void
exceptions(void)
{
	struct json_object *allow = json_tokener_parse("[\"10.1.2.3\", \"192.168.0.0/16\", \"*.lan.example\","
	    " \"box.example\", \"::1\", \"169.254.0.0/16\", \"100.64.0.0/10\", \"192.0.0.192\", \"fd00:ec2::254\","
	    " \"*\", \"0.0.0.0/0x\", \"10.9.0.0/33\", 7, null, \"\", \"/\"]");

	ok(!addr_refused("10.1.2.3", allow, NULL), "a listed address is allowed");
	ok(!addr_refused("::ffff:10.1.2.3", allow, NULL), "and in its IPv6 form");
	ok(addr_refused("10.1.2.4", allow, NULL), "its neighbour is not");
	ok(!addr_refused("192.168.77.1", allow, NULL), "an address in a listed range is allowed");
	ok(addr_refused("192.169.0.0", NULL, NULL) == false && addr_refused("10.9.0.1", allow, NULL),
	    "a malformed range opens nothing");
	ok(!addr_refused("10.5.5.5", allow, "db.LAN.example"), "a listed suffix opens private addresses");
	ok(!addr_refused("10.5.5.5", allow, "Box.Example."), "a listed host too, in any letter case");
	ok(addr_refused("10.5.5.5", allow, "lan.example"), "a suffix does not hold for the domain itself");
	ok(addr_refused("10.5.5.5", allow, "evillan.example"), "nor for a name that only ends alike");
	ok(!addr_refused("::1", allow, NULL), "loopback can be opened");
	ok(addr_refused("127.0.0.1", allow, "anything.example"), "a bare star opens nothing");
	ok(addr_refused("169.254.169.254", allow, "box.example"), "metadata stays shut: 169.254/16");
	ok(addr_refused("100.100.100.200", allow, "box.example"), "metadata stays shut: 100.64/10");
	ok(addr_refused("192.0.0.192", allow, "box.example"), "metadata stays shut: 192.0.0.192");
	ok(addr_refused("fd00:ec2::254", allow, "box.example"), "metadata stays shut: fd00:ec2::254");
	ok(addr_refused("::ffff:169.254.169.254", allow, "box.example"), "also in its IPv6 form");
	ok(host_refused("Metadata.Google.Internal.", allow), "a metadata name stays shut");
	json_object_put(allow);
}

static void
names(void)
{
	struct json_object *allow = json_tokener_parse("[\"localhost\"]");
	struct addrs two = { 2, { "8.8.8.8", "127.0.0.1" } }, none = { 0 }, good = { 1, { "8.8.4.4" } };
	char why[128] = "";

	ok(host_refused("localhost", NULL) && host_refused("LOCALHOST.", NULL), "localhost is refused by name");
	ok(host_refused("a.b.localhost", NULL) && host_refused("ip6-localhost", NULL), "and its relatives");
	ok(!host_refused("localhost", allow), "unless it is listed");
	ok(!host_refused("localhost.example.com", NULL), "a name that only begins so is not");
	is_int(guard_check("x.example", &two, NULL, why, sizeof(why)), ERR_FORBIDDEN, "one bad address refuses all");
	ok(strstr(why, "private") != NULL, "and the reason says so");
	is_int(guard_check("x.example", &none, NULL, why, sizeof(why)), ERR_FORBIDDEN, "no address refuses");
	is_int(guard_check("x.example", &good, NULL, why, sizeof(why)), ERR_OK, "public addresses pass");
	json_object_put(allow);
}

/* What the operator may not aim at either. */
static void
secrets(void)
{
	static const char *const shut[] = { "169.254.169.254", "0xa9fea9fe", "169.254.1.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe",
		"::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::ffff:0:169.254.169.254", "2002:a9fe:a9fe::",
		"2001:0:a9fe:a9fe::", "[fe80::1]", "febf::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16" };
	static const char *const open[] = { "127.0.0.1", "::1", "10.1.2.3", "192.168.1.9", "fd12::1", "100.64.0.9", "8.8.8.8", "2606:4700::1111",
		"64:ff9b::808:808", "fec0::1" };
	struct addrs one = { 1, { "10.0.0.9" } }, two = { 2, { "10.0.0.9", "169.254.169.254" } }, none = { 0 };
	char why[160] = "";

	for (size_t i = 0; i < ARRAY_LEN(shut); i++)
		ok(addr_secret(shut[i]) && addr_refused(shut[i], NULL, NULL), "nobody may ask %s", shut[i]);
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		ok(!addr_secret(open[i]), "an operator may ask %s", open[i]);
	is_int(guard_secrets("box.example", &one, why, sizeof(why)), ERR_OK, "a private address is the operator's affair");
	is_int(guard_secrets("localhost", &none, why, sizeof(why)), ERR_OK, "so is this machine");
	is_int(guard_secrets("box.example", &two, why, sizeof(why)), ERR_FORBIDDEN, "one bad address refuses all");
	ok(strstr(why, "box.example leads to") != NULL, "and the reason names the host");
	is_int(guard_secrets("METADATA.google.internal.", &none, why, sizeof(why)), ERR_FORBIDDEN, "a metadata service is refused by name");
}

int
main(void)
{
	secrets();
	ranges();
	exceptions();
	names();
	return done();
}
