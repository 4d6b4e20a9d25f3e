/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Snapshots and the sets they look through.
 *
 *   set 3 (current):  active layer C		    tree T2
 *   set 2:	       active layer C, frozen B	    tree T1	while B was merged
 *   set 1:	       active layer B		    tree T1	before
 *
 * A snapshot is (set, timestamp): a read takes the newest version not above the timestamp in the
 * active layer, else in the frozen one, else what the tree has. A commit adds to the active layer of
 * the current set; a checkpoint makes new sets.
 *
 * SNAP-1  A set does not change. A layer changes only by additions above every timestamp that a
 *	   snapshot has, and only while it is the active layer of the current set.
 * SNAP-2  A block that a set's tree or layers name is not given out before the set is gone: what a
 *	   checkpoint frees is retired with the set it replaced, and released when that one and all
 *	   older ones are gone. A set that goes before an older one leaves its list to that.
 * SNAP-3  A layer lives while a set has it, or while an optimistic transaction runs that began before its
 *	   last commit (commit validates against it).
 *
 * Lock: dbfs.versions, for moments only. Readers hold a reference and no lock.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "port/mem.h"
#include "txn/txn_priv.h"

struct vlayer *dbfs_vlayer_create(void)
{
	struct vlayer *v = port_alloc_zeroed(sizeof(*v));

	if (!v)
		return NULL;
	v->l = dbfs_layer_create();
	if (!v->l) {
		port_free(v);
		return NULL;
	}
	list_init(&v->link);
	return v;
}

void dbfs_vlayer_destroy(struct vlayer *v)
{
	if (!v)
		return;
	dbfs_layer_destroy(v->l);
	dbfs_runs_fini(&v->allocs);
	dbfs_runs_fini(&v->frees);
	port_free(v);
}

void dbfs_set_install_locked(struct dbfs *db, struct set *set, struct vlayer *active,
			     struct vlayer *frozen, struct dbfs_tree tree)
{
	set->refs = 1;
	set->active = active;
	set->frozen = frozen;
	set->tree = tree;
	active->refs++;
	if (frozen)
		frozen->refs++;
	if (list_empty(&active->link)) {
		/* Not below any begin that is older than the layer: SNAP-3 for empty layers too. */
		active->max_ts = atomic_load_explicit(&db->last_ts, memory_order_relaxed);
		list_add_tail(&db->layers, &active->link);
	}
	list_add_tail(&db->sets, &set->link);
	if (db->current)
		db->current->refs--;
	db->current = set;
}

void dbfs_snap_take(struct dbfs_tx *tx)
{
	struct dbfs *db = tx->db;

	port_mutex_lock(&db->versions);
	tx->set = db->current;
	tx->set->refs++;
	tx->ts = atomic_load_explicit(&db->last_ts, memory_order_acquire);
	if (tx->mode == DBFS_TX_OPTIMISTIC && list_empty(&tx->opt_link))
		list_add_tail(&db->optimistic, &tx->opt_link);
	port_mutex_unlock(&db->versions);
}

void dbfs_snap_drop(struct dbfs_tx *tx)
{
	struct dbfs *db = tx->db;
	bool last;

	port_mutex_lock(&db->versions);
	DBFS_ASSERT(tx->set->refs > 0);
	tx->set->refs--;
	last = tx->set->refs == 0 || !list_empty(&tx->opt_link);
	list_del(&tx->opt_link);
	tx->set = NULL;
	port_mutex_unlock(&db->versions);
	if (last)
		dbfs_reap(db);
}

struct set *dbfs_current_get(struct dbfs *db)
{
	struct set *set;

	port_mutex_lock(&db->versions);
	set = db->current;
	set->refs++;
	port_mutex_unlock(&db->versions);
	return set;
}

void dbfs_current_put(struct dbfs *db, struct set *set)
{
	bool last;

	port_mutex_lock(&db->versions);
	last = --set->refs == 0;
	port_mutex_unlock(&db->versions);
	if (last)
		dbfs_reap(db);
}

/*
 * Takes a set off the list that nobody has; its layers lose a reference. What it retired has to wait for
 * all older sets: where there is one, it goes on waiting there.
 */
static struct set *take_dead_set(struct dbfs *db) REQUIRES(&db->versions)
{
	struct set *s;

	list_for_each_entry (s, &db->sets, struct set, link) {
		if (s == db->current || s->refs > 0)
			continue;
		if (s->link.prev != &db->sets) { /* SNAP-2 */
			struct set *older = list_entry(s->link.prev, struct set, link);

			dbfs_runs_move(&older->retired, &s->retired);
		}
		list_del(&s->link);
		s->active->refs--;
		if (s->frozen)
			s->frozen->refs--;
		return s;
	}
	return NULL;
}

static struct vlayer *take_dead_layer(struct dbfs *db) REQUIRES(&db->versions)
{
	uint64_t oldest = UINT64_MAX;
	struct vlayer *v;

	if (!list_empty(&db->optimistic))
		oldest = list_first(&db->optimistic, struct dbfs_tx, opt_link)->ts;
	list_for_each_entry (v, &db->layers, struct vlayer, link) {
		if (v->refs == 0 && v->max_ts < oldest) { /* SNAP-3 */
			list_del(&v->link);
			return v;
		}
	}
	return NULL;
}

void dbfs_reap(struct dbfs *db)
{
	struct vlayer *v;
	struct set *s;

	do {
		port_mutex_lock(&db->versions);
		s = take_dead_set(db);
		v = take_dead_layer(db);
		port_mutex_unlock(&db->versions);
		if (s) {
			dbfs_space_release(db->space, &s->retired); /* SNAP-2 */
			dbfs_runs_fini(&s->retired);
			port_free(s);
		}
		dbfs_vlayer_destroy(v);
	} while (s || v);
}

void dbfs_sets_destroy(struct dbfs *db)
{
	struct vlayer *v;
	struct vlayer *nv;
	struct set *s;
	struct set *ns;

	list_for_each_entry_safe (s, ns, &db->sets, struct set, link) {
		dbfs_runs_fini(&s->retired);
		port_free(s);
	}
	list_for_each_entry_safe (v, nv, &db->layers, struct vlayer, link)
		dbfs_vlayer_destroy(v);
}

static const struct dbfs_version *find_in(const struct vlayer *layer, struct dbfs_bytes key,
					  uint64_t ts)
{
	const struct dbfs_node *n = layer ? dbfs_layer_find(layer->l, key) : NULL;

	return n ? dbfs_node_version(n, ts) : NULL;
}

bool dbfs_set_find(const struct set *set, struct dbfs_bytes key, uint64_t ts,
		   const struct dbfs_version **v)
{
	*v = find_in(set->active, key, ts);
	if (!*v)
		*v = find_in(set->frozen, key, ts);
	return !*v || (*v)->kind != DBFS_VERSION_DELETE;
}

int dbfs_set_get(struct dbfs *db, struct view view, struct dbfs_bytes key, void *buf, size_t cap,
		 size_t *len)
{
	const struct dbfs_version *v;

	if (!dbfs_set_find(view.set, key, view.ts, &v))
		return -DBFS_ENOENT;
	if (!v)
		return dbfs_btree_get(&db->env, view.set->tree, tree_key(key), buf, cap, len);
	if (v->len && cap)
		memcpy(buf, v->data, MIN(cap, v->len));
	*len = v->len;
	return 0;
}
