/* SPDX-License-Identifier: ISC
 *
 * The dialogue about services with a tor that answers as we like. (With a real tor: daemon/role_tor_test.c.)
 */
#include "tor/services.h"
#include "tor/test_control.h"

#define RELAY "0112233445566778899AABBCCDDEEFF00112233"

#define ZEROS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ONES "777777777777777777777777777777777777777777777777777q"

static struct services *services;
static struct onionkey key;
static const struct services_paths paths = { "/run/25", "/run/465" };
static char onion[ONIONKEY_NAME_LEN + 1];
static unsigned told;
static enum ipc_publication last_state;
static unsigned last_uploaded;
static char last_detail[256];

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	services_take_event(services, control_reply_text(event, 0), 0);
}

static void
on_service(void *context, const char *identity, enum ipc_publication state, unsigned uploaded, const char *detail)
{
	(void)context;
	assert_string_equal(identity, "alice");
	told++;
	last_state = state;
	last_uploaded = uploaded;
	snprintf(last_detail, sizeof last_detail, "%s", detail);
}

static int
set_up(void **state)
{
	(void)state;
	static const struct control_events events = { on_event, on_control_end };
	static const unsigned char seed[32] = "a seed for a test, no secret";
	onionkey_from_seed(seed, &key);
	onionkey_name(key.public_key, onion);
	if (connect_control(&events) != 0)
		return -1;
	services = services_new(control, on_service, NULL);
	told = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	services_free(services);
	disconnect_control();
	return 0;
}

static void
add(void)
{
	struct error err = { 0 };
	assert_int_equal(services_add(services, "alice", &key, &paths, NULL, &err), 0);
}

/* The same, where a $ in it stands for the key and an @ for the onion. */
static void
tor_hears_key(const char *format)
{
	char blob[ONIONKEY_CONTROL_LEN + 1], expected[2048];
	onionkey_control_blob(&key, blob);
	size_t len = 0;
	for (const char *p = format; *p != '\0'; p++)
		len += (size_t)snprintf(expected + len, sizeof expected - len, *p == '$' ? "%s" : *p == '@' ? "%s" : "%.1s",
		    *p == '$' ? blob : *p == '@' ? onion : p);
	tor_hears(expected);
}

static void
tor_reports(const char *action, int relay)
{
	char line[256];
	snprintf(line, sizeof line, "650 HS_DESC %s %s UNKNOWN $%d" RELAY "~r%s\r\n", action, onion, relay, strcmp(action, "UPLOAD") == 0 ? " id" : "");
	tor_says(line);
}

#define ADD_POW "ADD_ONION $ Flags=DiscardPK MaxStreams=32 PoWDefensesEnabled=1 Port=25,unix:/run/25 Port=465,unix:/run/465\r\n"
#define ADD_PLAIN "ADD_ONION $ Flags=DiscardPK MaxStreams=32 Port=25,unix:/run/25 Port=465,unix:/run/465\r\n"

static void
is_published_when_most_directories_have_it(void **state)
{
	(void)state;
	add();
	tor_hears_key(ADD_POW);
	assert_int_equal(told, 0);
	tor_says("250-ServiceID=x\r\n250 OK\r\n");
	assert_int_equal(told, 1);
	assert_int_equal(last_state, SERVICE_WAITING);
	for (int i = 0; i < 4; i++)
		tor_reports("UPLOAD", i);
	tor_reports("UPLOADED", 0);
	tor_reports("UPLOADED", 1);
	assert_int_equal(last_state, SERVICE_WAITING);
	assert_int_equal(last_uploaded, 2);
	tor_reports("UPLOADED", 2);
	assert_int_equal(last_state, SERVICE_PUBLISHED);
	assert_int_equal(last_uploaded, 3);
	tor_reports("FAILED", 0);
	tor_reports("FAILED", 1);
	assert_int_equal(last_state, SERVICE_PUBLISHED); /* one directory is enough to stay reachable */
	tor_reports("FAILED", 2);
	assert_int_equal(last_state, SERVICE_WAITING);
	assert_int_equal(last_uploaded, 0);
}

static void
does_without_proof_of_work_where_tor_has_none(void **state)
{
	(void)state;
	add();
	tor_hears_key(ADD_POW);
	tor_says("512 Bad arguments to ADD_ONION: Unrecognized keyword argument \"PoWDefensesEnabled\"\r\n");
	tor_hears_key(ADD_PLAIN);
	assert_int_equal(told, 0);
	tor_says("250 OK\r\n");
	assert_int_equal(last_state, SERVICE_WAITING);
}

static void
a_refusal_is_told_and_not_repeated(void **state)
{
	(void)state;
	add();
	tor_hears_key(ADD_POW);
	tor_says("512 no\r\n");
	tor_hears_key(ADD_PLAIN);
	tor_says("512 Invalid VIRTPORT/TARGET\r\n");
	tor_hears("");
	assert_int_equal(last_state, SERVICE_FAILED);
	assert_non_null(strstr(last_detail, "Invalid VIRTPORT/TARGET"));
	services_remove(services, "alice");
	tor_hears("");
}

static void
can_be_taken_back_and_added_anew_at_any_time(void **state)
{
	(void)state;
	add();
	services_remove(services, "alice");
	services_remove(services, "alice");
	add();
	tor_hears_key(ADD_POW "DEL_ONION @\r\n" ADD_POW);
	tor_says("250-ServiceID=x\r\n250 OK\r\n250 OK\r\n");
	assert_int_equal(told, 0); /* nothing about what was taken back */
	tor_says("250-ServiceID=x\r\n250 OK\r\n");
	assert_int_equal(told, 1);
	add(); /* it is the same */
	tor_hears("");
	services_remove(services, "alice");
	add();
	tor_hears_key("DEL_ONION @\r\n" ADD_POW);
	tor_reports("UPLOADED", 0);
	assert_int_equal(told, 1); /* about the one before */
	tor_says("250 OK\r\n250 OK\r\n");
	assert_int_equal(told, 2);
	services_remove(services, "alice");
	tor_hears_key("DEL_ONION @\r\n");
	tor_says("250 OK\r\n");
	tor_reports("UPLOADED", 0);
	assert_int_equal(told, 2);
	services_remove(services, "bob");
	tor_hears("");
}

static void
refuses_what_it_cannot_tell_tor(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "run/25", "/run/a b", "/run/\"", "/run/'", "/run/\xc3\xa4", "/run/\n", "/run/\t" };
	struct error err = { 0 };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(services_add(services, "alice", &key, &(struct services_paths){ bad[i], "/run/465" }, NULL, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_int_equal(services_add(services, "alice", &key, &(struct services_paths){ "/run/25", bad[i] }, NULL, &err), -1);
	}
	add();
	assert_int_equal(services_add(services, "bob", &key, &paths, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	tor_hears_key(ADD_POW);
}

static void
only_those_with_a_key_find_a_private_one(void **state)
{
	(void)state;
	struct access_list *access = access_new();
	struct error err = { 0 };
	memset(access->clients[0].public_key, 0, ACCESS_KEY_BYTES);
	memset(access->clients[1].public_key, 0xff, ACCESS_KEY_BYTES);
	access->client_count = 2;
	access->is_private = true;
	assert_int_equal(services_add(services, "alice", &key, &paths, access, &err), 0);
	tor_hears_key("ADD_ONION $ Flags=DiscardPK,V3Auth MaxStreams=32 PoWDefensesEnabled=1 Port=25,unix:/run/25 Port=465,unix:/run/465"
	    " ClientAuthV3=" ZEROS " ClientAuthV3=" ONES "\r\n");
	tor_says("250 OK\r\n");
	/* the same once more changes nothing; one less does */
	assert_int_equal(services_add(services, "alice", &key, &paths, access, &err), 0);
	tor_hears("");
	access->client_count = 1;
	assert_int_equal(services_add(services, "alice", &key, &paths, access, &err), 0);
	tor_hears_key("DEL_ONION @\r\nADD_ONION $ Flags=DiscardPK,V3Auth MaxStreams=32 PoWDefensesEnabled=1 Port=25,unix:/run/25 "
	    "Port=465,unix:/run/465 ClientAuthV3=" ZEROS "\r\n");
	tor_says("250 OK\r\n250 OK\r\n");
	/* and public is public, whoever has keys */
	access->is_private = false;
	assert_int_equal(services_add(services, "alice", &key, &paths, access, &err), 0);
	tor_hears_key("DEL_ONION @\r\n" ADD_POW);
	access_free(access);
}

static void
a_private_one_without_clients_is_found_by_nobody(void **state)
{
	(void)state;
	struct access_list *access = access_new();
	struct error err = { 0 };
	char got[2048];
	access->is_private = true;
	assert_int_equal(services_add(services, "alice", &key, &paths, access, &err), 0);
	settle();
	ssize_t n = read(tor_fd, got, sizeof got - 1);
	got[n > 0 ? n : 0] = '\0';
	assert_non_null(strstr(got, ",V3Auth "));
	assert_non_null(strstr(got, " ClientAuthV3="));
	access_free(access);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_published_when_most_directories_have_it),
		TEST(does_without_proof_of_work_where_tor_has_none),
		TEST(a_refusal_is_told_and_not_repeated),
		TEST(can_be_taken_back_and_added_anew_at_any_time),
		TEST(only_those_with_a_key_find_a_private_one),
		TEST(a_private_one_without_clients_is_found_by_nobody),
		TEST(refuses_what_it_cannot_tell_tor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
