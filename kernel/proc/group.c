/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

#include "proc/group.h"

#include "lib/errno.h"
#include "proc/proc_priv.h"

/* May p (the caller or a child) go to group pgid? */
static int check_locked(const struct process *p, int pgid)
{
	const struct process *me = current_process();
	const struct session *s = me->pgrp->session;
	struct pgrp *g;

	if (!p || p->zombie || !p->pgrp || (p != me && p->parent != me))
		return -ESRCH;
	if (p != me && p->exec_done)
		return -EACCES;
	if (p->pgrp->session != s || s->id == p->pid)
		return -EPERM;
	if (pgid == p->pid)
		return 0;
	g = pgrp_find_locked(pgid);
	return g && g->session == s ? 0 : -EPERM;
}

int process_set_group(int pid, int pgid)
{
	struct pgrp_spare spare;
	struct process *p;
	unsigned long flags;
	int err;

	if (pgid < 0)
		return -EINVAL;
	err = pgrp_spare_alloc(&spare);
	if (err)
		return err;
	flags = spin_lock_irqsave(&proc_lock);
	p = pid ? process_find_locked(pid) : current_process();
	if (p && !pgid)
		pgid = p->pid;
	err = check_locked(p, pgid);
	if (!err)
		pgrp_join_locked(p, pgid, p->pgrp->session, &spare);
	spin_unlock_irqrestore(&proc_lock, flags);
	pgrp_spare_free(&spare);
	return err;
}

int process_get_group(int pid, bool session)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p = pid ? process_find_locked(pid) : current_process();
	int id = -ESRCH;

	if (p && p->pgrp)
		id = session ? p->pgrp->session->id : p->pgrp->id;
	spin_unlock_irqrestore(&proc_lock, flags);
	return id;
}

int process_new_session(void)
{
	struct process *p = current_process();
	struct pgrp_spare spare;
	unsigned long flags;
	int err = pgrp_spare_alloc(&spare);

	if (err)
		return err;
	flags = spin_lock_irqsave(&proc_lock);
	if (pgrp_find_locked(p->pid)) {
		err = -EPERM;
	} else {
		pgrp_join_locked(p, p->pid, NULL, &spare);
		err = p->pid;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	pgrp_spare_free(&spare);
	return err;
}
