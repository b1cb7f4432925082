/*
 * Several changes of config.toml at once, of [[users]] among them.
 *
 * The text is parsed before the first and after the last; in between only places are looked for, those of a user in that user's
 * lines alone, or a thousand changes would take a minute. So that none goes elsewhere unseen, the text that is left must have the users
 * that are expected, in their order, and each key the value that it was given last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/svc/config_file_edit.h"

struct batch {
	struct edit x;
	struct buf cur;                 /* what the changes so far have made of x.old */
	struct json_object *names;      /* of users, in their order */
	struct json_object *wants;      /* of each of these: {key: value}, null: it is gone */
	struct json_object *all;        /* the same, of keys that are no user's */
	size_t *at, n_at, room;         /* where each user's [[users]] stands; n_at 0: they are not written so */
	bool found;                     /* at is of the text as it is now */
};

/* A text that holds the user, as its users[index]. */
struct lines { size_t from, to, index; };

static struct json_object *
name_of(struct json_object *user)
{
	return json_object_new_string(js_str_or(user, "name", ""));
}

static enum err
read_users(struct batch *b)
{
	struct json_object *doc = NULL, *users;
	struct toml_fault f = { .why = "" };
	enum err e = toml_parse(b->x.old.p, b->x.old.len, &doc, NULL, &f);

	if (e != ERR_OK)
		return edit_fault(&b->x, e, &f);
	b->names = json_object_new_array();
	b->wants = json_object_new_array();
	b->all = json_object_new_object();
	if (b->names == NULL || b->wants == NULL || b->all == NULL)
		e = edit_say(&b->x, ERR_NOMEM, "out of memory");
	users = js_arr(doc, "users");
	for (size_t i = 0; e == ERR_OK && users != NULL && i < json_object_array_length(users); i++) {
		json_object_array_add(b->names, name_of(json_object_array_get_idx(users, i)));
		json_object_array_add(b->wants, json_object_new_object());
	}
	json_object_put(doc);
	return e;
}

/* memory_short: there may be none. */
static const char *
name_at(const struct batch *b, size_t i)
{
	const char *s = json_object_get_string(json_object_array_get_idx(b->names, i));

	return s != NULL ? s : "";
}

/* Where a user stands, the same letters before others; as many as there are: nowhere. */
static size_t
user_at(const struct batch *b, const char *name)
{
	size_t n = json_object_array_length(b->names), at = n;

	for (size_t i = 0; i < n; i++) {
		const char *s = name_at(b, i);

		if (strcmp(s, name) == 0)
			return i;
		if (at == n && strcasecmp(s, name) == 0)
			at = i;
	}
	return at;
}

/* One below the other, or the same. */
static bool
are_kin(const char *a, const char *b)
{
	size_t n = strlen(a), k = strlen(b), less = n < k ? n : k;
	char next = n < k ? b[n] : a[k];

	return strncmp(a, b, less) == 0 && (next == '\0' || next == '.' || next == '[');
}

/* value: taken; NULL: the key is to be gone. What was wanted of it, and of what is in it or around it, is no more. */
static void
want(struct json_object *of, const char *key, struct json_object *value)
{
	if (of == NULL) {
		json_object_put(value);
		return;
	}
	json_object_object_foreach(of, before, v) {
		(void)v;
		if (are_kin(before, key))
			json_object_object_del(of, before);
	}
	json_object_object_add(of, key, value);
}

static struct lines
lines_of(struct batch *b, const struct buf *text, size_t user)
{
	size_t n = json_object_array_length(b->names);

	if (!b->found) {
		b->n_at = toml_tables(text->p, text->len, "users", b->at, b->room);
		b->n_at = b->n_at == n ? n : 0;
		b->found = true;
	}
	if (b->n_at == 0)
		return (struct lines){ 0, text->len, user };
	return (struct lines){ b->at[user], user + 1 < n ? b->at[user + 1] : text->len, 0 };
}

/* What has become of these lines, into the whole; those behind them move. */
static enum err
put_lines(struct batch *b, const struct buf *text, const struct lines *l, const struct buf *made)
{
	for (size_t i = 0; i < b->n_at; i++)
		if (b->at[i] >= l->to)
			b->at[i] = b->at[i] - (l->to - l->from) + made->len;
	buf_add(&b->x.new, text->p, l->from);
	if (made->len > 0)
		buf_add(&b->x.new, made->p, made->len);
	buf_add(&b->x.new, text->p + l->to, text->len - l->to);
	return b->x.new.failed ? ERR_TOO_LARGE : ERR_OK;
}

/* A list here would hide the one in an included file. */
static enum err
others_file(struct edit *x)
{
	struct buf snapshot = BUF_INIT(SNAPSHOT_BYTES_MAX);
	struct json_object *o = NULL, *users;
	enum err e = config_snapshot_text(x->p, NULL, 0, x->old.p, x->old.len, false, false, &snapshot, x->msg, x->cap);

	if (e == ERR_OK && (o = json_parse(snapshot.p, snapshot.len)) == NULL)
		e = edit_say(x, ERR_NOMEM, "out of memory");
	users = js_arr(o, "users");
	if (e == ERR_OK && users != NULL && json_object_array_length(users) > 0)
		e = edit_say(x, ERR_CONFLICT, "the users stand in a file that %s includes: change them there", edit_name(x));
	json_object_put(o);
	buf_zero_done(&snapshot);
	return e;
}

/* Behind the last one. */
static enum err
append(struct batch *b, const struct buf *from, const struct config_change *ch, struct buf *made, struct toml_fault *f)
{
	size_t n = json_object_array_length(b->names), at[2];
	struct lines l = n > 0 ? lines_of(b, from, n - 1) : (struct lines){ 0, from->len, 0 };
	enum err e = toml_append(from->p + l.from, l.to - l.from, "users", ch->members, ch->n_members, made, f);

	if (e == ERR_OK)
		e = put_lines(b, from, &l, made);
	if (e == ERR_OK && b->n_at > 0 && toml_tables(made->p, made->len, "users", at, 2) == 2)
		b->at[b->n_at++] = l.from + at[1];
	else
		b->found = false;
	return e;
}

static enum err
add_user(struct batch *b, const struct buf *from, const struct config_change *ch, struct buf *made)
{
	struct toml_fault f = { .why = "" };
	size_t n = json_object_array_length(b->names);
	struct json_object *wants = json_object_new_object(), *v;
	enum err e = user_at(b, ch->user) < n ? edit_say(&b->x, ERR_CONFLICT, "user '%s' already exists", ch->user) : ERR_OK;

	if (e == ERR_OK && n == 0)
		e = others_file(&b->x);
	if (e == ERR_OK && (e = append(b, from, ch, made, &f)) != ERR_OK)
		e = edit_fault(&b->x, e, &f);
	for (size_t i = 0; e == ERR_OK && i < ch->n_members; i++) {
		if ((e = toml_value(ch->members[i].literal, &v, &f)) == ERR_OK)
			want(wants, ch->members[i].key, v);
		else
			e = edit_fault(&b->x, e, &f);
	}
	if (e != ERR_OK) {
		json_object_put(wants);
		return e;
	}
	json_object_array_add(b->names, json_object_new_string(ch->user));
	json_object_array_add(b->wants, wants);
	return ERR_OK;
}

static enum err
remove_user(struct batch *b, const struct buf *from, size_t user, struct buf *made)
{
	struct lines l = lines_of(b, from, user);
	struct toml_fault f = { .why = "" };
	char key[32];
	enum err e;

	snprintf(key, sizeof(key), "users[%zu]", l.index);
	e = toml_cut(from->p + l.from, l.to - l.from, key, made, &f);
	if (e == ERR_OK)
		e = put_lines(b, from, &l, made);
	if (e != ERR_OK)
		return edit_fault(&b->x, e, &f);
	b->found = false;
	json_object_array_del_idx(b->names, user, 1);
	json_object_array_del_idx(b->wants, user, 1);
	return ERR_OK;
}

/* key: in the lines. value: as the literal says it, taken by *ret; NULL: the key goes, if it is there. */
static enum err
set_key(struct batch *b, const struct buf *from, const struct lines *l, const char *key, const char *literal, struct buf *made,
    struct json_object **ret)
{
	struct toml_fault f = { .why = "" };
	const char *text = from->p + l->from;
	size_t n = l->to - l->from;
	enum err e;

	if (literal != NULL) {
		e = toml_put(text, n, key, literal, made, &f);
	} else if ((e = toml_cut(text, n, key, made, &f)) == ERR_NOT_FOUND) {
		buf_add(made, text, n);
		e = made->failed ? ERR_TOO_LARGE : ERR_OK;
	}
	if (e == ERR_OK)
		e = put_lines(b, from, l, made);
	if (e == ERR_OK && literal != NULL)
		e = toml_value(literal, ret, &f);
	return e == ERR_OK ? e : edit_fault(&b->x, e, &f);
}

static enum err
set_users_key(struct batch *b, const struct buf *from, size_t user, const struct config_change *ch, struct buf *made)
{
	SCOPED_BUF key = BUF_INIT(CONFIG_BYTES_MAX);
	struct lines l = lines_of(b, from, user);
	struct json_object *v = NULL;
	enum err e;

	buf_printf(&key, "users[%zu].%s", l.index, ch->key);
	e = key.failed ? edit_say(&b->x, ERR_NOMEM, "out of memory") : set_key(b, from, &l, key.p, ch->literal, made, &v);
	if (e != ERR_OK)
		return e;
	if (v != NULL && strcmp(ch->key, "name") == 0)
		json_object_array_put_idx(b->names, user, json_object_get(v));
	want(json_object_array_get_idx(b->wants, user), ch->key, v);
	return ERR_OK;
}

/* From that text to x.new. */
static enum err
change(struct batch *b, const struct buf *from, const struct config_change *ch, struct buf *made)
{
	struct json_object *v = NULL;
	size_t user;
	enum err e;

	if (ch->members != NULL)
		return add_user(b, from, ch, made);
	if (ch->user == NULL) {
		e = set_key(b, from, &(struct lines){ 0, from->len, 0 }, ch->key, ch->literal, made, &v);
		b->found = false;
		if (e == ERR_OK)
			want(b->all, ch->key, v);
		return e;
	}
	user = user_at(b, ch->user);
	if (user == json_object_array_length(b->names))
		return edit_say(&b->x, ERR_NOT_FOUND, "%s has no user %s", edit_name(&b->x), ch->user);
	return ch->key == NULL ? remove_user(b, from, user, made) : set_users_key(b, from, user, ch, made);
}

/* --- is all of it there, and nothing else where it should not be? --------------------------- */

static bool
has_all(struct json_object *o, struct json_object *wants)
{
	json_object_object_foreach(wants, key, v) {
		struct json_object *got = toml_at(o, key);

		if (v != NULL ? !json_object_equal(got, v) : got != NULL)
			return false;
	}
	return true;
}

static bool
users_are(const struct batch *b, struct json_object *users)
{
	size_t n = json_object_array_length(b->names);

	if ((users != NULL ? json_object_array_length(users) : 0) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct json_object *u = json_object_array_get_idx(users, i);

		if (strcmp(js_str_or(u, "name", ""), name_at(b, i)) != 0 || !has_all(u, json_object_array_get_idx(b->wants, i)))
			return false;
	}
	return true;
}

static enum err
verify(struct batch *b)
{
	struct json_object *doc = NULL;
	struct toml_fault f = { .why = "" };
	enum err e = toml_parse(b->x.new.p, b->x.new.len, &doc, NULL, &f);

	if (e == ERR_OK && (!has_all(doc, b->all) || !users_are(b, js_arr(doc, "users"))))
		e = edit_say(&b->x, ERR_INVALID, "the text cannot be changed at this place");
	else if (e != ERR_OK)
		e = edit_fault(&b->x, e == ERR_BAD_REQUEST ? ERR_INVALID : e, &f);
	json_object_put(doc);
	return e;
}

static enum err
change_all(struct batch *b, const struct config_change *ch, size_t n)
{
	struct buf made = BUF_INIT(CONFIG_BYTES_MAX);
	enum err e = read_users(b);

	if (e == ERR_OK) {
		b->room = json_object_array_length(b->names) + n;
		b->at = calloc(b->room, sizeof(*b->at));
		e = b->at != NULL ? ERR_OK : edit_say(&b->x, ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; e == ERR_OK && i < n; i++) {
		struct buf last = b->x.new;

		if (i > 0) {
			b->x.new = b->cur;
			b->cur = last;
		}
		buf_clear(&b->x.new);
		buf_clear(&made);
		e = change(b, i > 0 ? &b->cur : &b->x.old, &ch[i], &made);
	}
	buf_zero_done(&made);
	if (e == ERR_OK && memory_short)
		e = edit_say(&b->x, ERR_NOMEM, "out of memory");
	return e == ERR_OK ? verify(b) : e;
}

enum err
config_file_change(const struct run_paths *p, const struct config_change *ch, size_t n, char *msg, size_t cap)
{
	struct batch b = { .cur = BUF_INIT(CONFIG_BYTES_MAX) };
	enum err e = edit_begin(&b.x, p, msg, cap);

	if (e == ERR_OK && n > 0)
		e = change_all(&b, ch, n);
	if (e == ERR_OK && n > 0)
		e = edit_commit(&b.x);
	json_object_put(b.names);
	json_object_put(b.wants);
	json_object_put(b.all);
	free(b.at);
	buf_zero_done(&b.cur);
	edit_end(&b.x);
	return e;
}
