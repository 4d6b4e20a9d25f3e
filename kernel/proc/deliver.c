/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * Taking signals on the way to user mode: the default action, or a frame on the user's stack and a
 * jump to the handler. The frame is Linux's for riscv64, because unwinders and debuggers read it:
 *
 *   sp -> siginfo (128) | ucontext: flags, link, stack (24), mask (8 + 120), pad (8),
 *         pc, x1..x31 (256), FP state (528: f0..f31, fcsr, zeros)
 *
 * There is no restorer: ra points to __vdso_rt_sigreturn. System calls are restarted here as
 * well, because it depends on the handler whether they are.
 */
#include "arch/fp.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/deliver.h"
#include "proc/proc_priv.h"
#include "vdso/vdso.h"
#include "vm/space.h"
#include "vm/uaccess.h"

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM 0x80000000u
#define CORE_SET                                                                                 \
	(SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGBUS) | \
	 SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ) | SIGBIT(SIGSYS))
#define STOP_SET (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define NR_RESTART_SYSCALL 128

struct user_stack {
	uint64_t sp;
	int32_t flags;
	int32_t pad;
	uint64_t size;
};

struct rt_sigframe {
	struct siginfo info;
	uint8_t info_rest[SIGINFO_SIZE - sizeof(struct siginfo)];
	uint64_t uc_flags;
	uint64_t uc_link;
	struct user_stack uc_stack;
	sigset uc_mask;
	uint8_t uc_unused[120];
	uint64_t uc_pad;
	uint64_t regs[32]; /* pc, x1 .. x31 */
	struct fp_state fp;
	uint8_t fp_rest[528 - sizeof(struct fp_state)];
};

_Static_assert(offsetof(struct rt_sigframe, regs) == 128 + 176, "sigcontext");
_Static_assert(sizeof(struct rt_sigframe) == 128 + 960, "rt_sigframe");

void signal_set_blocked(sigset mask)
{
	struct task *t = current_task();
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	t->blocked = mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	signal_recalc_locked(t);
	spin_unlock_irqrestore(&proc_lock, flags);
}

void signal_set_temp_mask(sigset mask)
{
	struct task *t = current_task();

	t->saved_mask = t->blocked;
	t->restore_mask = true;
	signal_set_blocked(mask);
	/* so that the mask comes back even if nothing else sends the task to user_return */
	thread_interrupt(t->thread, THREAD_WORK);
}

void signal_restore_temp_mask(void)
{
	struct task *t = current_task();

	if (!t->restore_mask)
		return;
	t->restore_mask = false;
	signal_set_blocked(t->saved_mask);
}

static bool on_altstack(const struct task *t, uint64_t sp)
{
	if ((uint32_t)t->altstack_flags & (SS_DISABLE | SS_AUTODISARM))
		return false;
	return sp > t->altstack && sp - t->altstack <= t->altstack_size;
}

int signal_altstack_get_flags(uint64_t sp)
{
	struct task *t = current_task();

	if (t->altstack_flags & SS_DISABLE)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

static uint64_t frame_address(const struct task *t, const struct trap_frame *f,
			      const struct sigaction *act)
{
	uint64_t sp = f->x[TRAP_SP];

	/* A handler that overflows its own alternate stack must not wander below it. */
	if (on_altstack(t, sp) && !on_altstack(t, sp - sizeof(struct rt_sigframe)))
		return 0;
	if ((act->flags & SA_ONSTACK) && !(t->altstack_flags & SS_DISABLE) && !on_altstack(t, sp))
		sp = t->altstack + t->altstack_size;
	return ALIGN_DOWN(sp - sizeof(struct rt_sigframe), 16ull);
}

static void fill_frame(struct rt_sigframe *frame, struct task *t, const struct trap_frame *f,
		       const struct siginfo *info, sigset mask)
{
	memset(frame, 0, sizeof(*frame));
	frame->info = *info;
	frame->uc_stack.sp = t->altstack;
	frame->uc_stack.size = t->altstack_size;
	frame->uc_stack.flags = signal_altstack_get_flags(f->x[TRAP_SP]);
	if ((uint32_t)t->altstack_flags & SS_AUTODISARM)
		frame->uc_stack.flags |= (int32_t)SS_AUTODISARM;
	frame->uc_mask = mask;
	frame->regs[0] = f->epc;
	memcpy(&frame->regs[1], &f->x[1], 31 * sizeof(uint64_t));
	arch_fp_save();
	frame->fp = t->fp_area;
}

/* Builds the frame and points f at the handler. False: the stack is bad. */
static bool enter_handler(struct task *t, struct trap_frame *f, const struct siginfo *info,
			  const struct sigaction *act)
{
	uint64_t sp = frame_address(t, f, act);
	struct rt_sigframe *frame = sp ? mm_alloc(sizeof(*frame), MM_NORMAL) : NULL;
	sigset mask = t->restore_mask ? t->saved_mask : t->blocked;
	sigset blocked;
	int err;

	if (!frame)
		return false;
	fill_frame(frame, t, f, info, mask);
	err = copy_to_user(sp, frame, sizeof(*frame));
	mm_free(frame);
	if (err)
		return false;
	if ((uint32_t)t->altstack_flags & SS_AUTODISARM) {
		t->altstack = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	f->x[TRAP_RA] = t->mm->vdso + vdso_sigreturn_offset();
	f->epc = act->handler;
	f->x[TRAP_SP] = sp;
	f->x[TRAP_A0] = (uint64_t)info->signo;
	f->x[TRAP_A0 + 1] = sp;
	f->x[TRAP_A0 + 2] = sp + offsetof(struct rt_sigframe, uc_flags);
	t->restore_mask = false;
	blocked = t->blocked | act->mask;
	if (!(act->flags & SA_NODEFER))
		blocked |= SIGBIT(info->signo);
	signal_set_blocked(blocked);
	return true;
}

static void restore_altstack(struct task *t, const struct user_stack *s, uint64_t sp)
{
	if (on_altstack(t, sp))
		return;
	t->altstack = s->sp;
	t->altstack_size = s->size;
	t->altstack_flags = s->flags & (int32_t)(SS_DISABLE | SS_AUTODISARM);
}

static bool rest_is_zero(const struct rt_sigframe *frame)
{
	for (size_t i = 0; i < sizeof(frame->fp_rest); i++) {
		if (frame->fp_rest[i])
			return false; /* an extension that we never wrote */
	}
	return true;
}

long signal_return(struct trap_frame *f)
{
	struct task *t = current_task();
	struct rt_sigframe *frame = mm_alloc(sizeof(*frame), MM_NORMAL);
	struct siginfo info = siginfo_kernel(SIGSEGV);

	if (!frame || (f->x[TRAP_SP] & 15) ||
	    copy_from_user(frame, f->x[TRAP_SP], sizeof(*frame)) || !rest_is_zero(frame)) {
		mm_free(frame);
		signal_self(&info, true);
		return 0;
	}
	signal_set_blocked(frame->uc_mask);
	f->epc = frame->regs[0];
	memcpy(&f->x[1], &frame->regs[1], 31 * sizeof(uint64_t));
	arch_fp_set(&frame->fp);
	restore_altstack(t, &frame->uc_stack, f->x[TRAP_SP]);
	t->restart_fn = NULL;
	mm_free(frame);
	return (long)f->x[TRAP_A0];
}

static void restart(struct trap_frame *f, uint64_t a0)
{
	f->x[TRAP_A0] = a0;
	f->epc -= 4;
}

/* A handler will run: does the interrupted call end with EINTR, or start again after it? */
static void restart_for_handler(struct task *t, struct trap_frame *f, const struct sigaction *act)
{
	if (!t->restart_pending)
		return;
	t->restart_pending = false;
	switch ((long)f->x[TRAP_A0]) {
	case -ERESTARTSYS:
		if (act->flags & SA_RESTART)
			restart(f, t->orig_a0);
		else
			f->x[TRAP_A0] = (uint64_t)-EINTR;
		break;
	case -ERESTARTNOINTR:
		restart(f, t->orig_a0);
		break;
	default:
		f->x[TRAP_A0] = (uint64_t)-EINTR;
	}
}

/* No handler ran: the call goes on as if nothing had been. */
static void restart_plain(struct task *t, struct trap_frame *f)
{
	if (!t->restart_pending)
		return;
	t->restart_pending = false;
	if ((long)f->x[TRAP_A0] == -ERESTART_RESTARTBLOCK)
		f->x[TRAP_A7] = NR_RESTART_SYSCALL;
	restart(f, t->orig_a0);
}

/* The default action of a signal; returns if the process lives on. */
static void default_action(struct task *t, int sig)
{
	struct process *p = t->process;
	uint32_t status = (uint32_t)sig;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (STOP_SET & SIGBIT(sig)) {
		if (sig == SIGSTOP || !pgrp_orphaned_locked(p->pgrp, NULL))
			stop_begin_locked(p, sig);
	} else if (!(signal_default_ignored() & SIGBIT(sig))) {
		if (CORE_SET & SIGBIT(sig))
			p->core_dumped = false; /* no core files are written: the bit stays clear */
		process_kill_all_locked(p, status);
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}

/* Takes one signal. False: there is none. */
static bool take_signal(struct task *t, struct trap_frame *f)
{
	struct process *p = t->process;
	struct siginfo info;
	struct sigaction act;
	int sig;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	sig = signal_dequeue_locked(t, t->blocked, &info);
	if (sig) {
		struct sigaction *a = &p->sighand->actions[sig - 1];

		act = *a;
		if (act.handler > SIG_IGN && (act.flags & SA_RESETHAND))
			a->handler = SIG_DFL;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	if (!sig)
		return false;
	if (act.handler == SIG_IGN)
		return true;
	if (act.handler == SIG_DFL) {
		default_action(t, sig);
		return true;
	}
	restart_for_handler(t, f, &act);
	if (!enter_handler(t, f, &info, &act)) {
		struct siginfo bad = siginfo_kernel(SIGSEGV);

		if (sig == SIGSEGV) {
			flags = spin_lock_irqsave(&proc_lock);
			p->sighand->actions[SIGSEGV - 1].handler = SIG_DFL;
			spin_unlock_irqrestore(&proc_lock, flags);
		}
		signal_self(&bad, true);
	}
	return true;
}

static bool must_die(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool die = t->process->exiting || (t->process->execing && t->process->exec_task != t);

	spin_unlock_irqrestore(&proc_lock, flags);
	return die;
}

void signal_user_return(struct trap_frame *f)
{
	struct task *t = current_task();

	/* Cleared first: what is sent from now on sets it again. */
	thread_clear_pending(t->thread, THREAD_SIGNAL | THREAD_WORK);
	for (;;) {
		if (must_die(t))
			task_exit();
		stop_park(t);
		if (must_die(t))
			task_exit();
		if (!take_signal(t, f))
			break;
	}
	restart_plain(t, f);
	signal_restore_temp_mask();
}
