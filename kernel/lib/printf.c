/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/* The formatter: one pass over the format, output counted beyond the end of the buffer. */
#include "lib/printf.h"

#include "lib/string.h"

struct out {
	char *buf;
	size_t size;
	size_t len; /* what it would be without a limit */
};

struct spec {
	bool left, zero, plus, space, alt, upper;
	int width;
	int precision; /* -1: none */
	int length;    /* -2 hh, -1 h, 0, 1 l, 2 ll, 3 z */
	unsigned base;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	for (; n > 0; n--)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *sp, const char *s, size_t n)
{
	int fill = sp->width > (int)n ? sp->width - (int)n : 0;

	if (!sp->left)
		pad(o, ' ', fill);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', fill);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t v, const char *sign)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char rev[24];
	int n = 0;
	int zeros = 0;
	int fill;

	for (; v > 0; v /= sp->base)
		rev[n++] = digits[v % sp->base];
	if (n == 0 && sp->precision != 0)
		rev[n++] = '0';
	if (sp->precision > n)
		zeros = sp->precision - n;
	fill = sp->width - n - zeros - (int)strlen(sign);
	if (sp->zero && !sp->left && sp->precision < 0 && fill > 0) {
		zeros += fill;
		fill = 0;
	}
	if (!sp->left)
		pad(o, ' ', fill);
	for (; *sign; sign++)
		put(o, *sign);
	pad(o, '0', zeros);
	while (n > 0)
		put(o, rev[--n]);
	if (sp->left)
		pad(o, ' ', fill);
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			return f;
	}
}

static const char *parse_int(const char *f, int *v)
{
	*v = 0;
	while (*f >= '0' && *f <= '9' && *v < 100000)
		*v = *v * 10 + (*f++ - '0');
	return f;
}

static const char *parse_length(const char *f, struct spec *sp)
{
	if (*f == 'z') {
		sp->length = 3;
		f++;
	}
	for (; *f == 'l'; f++)
		sp->length++;
	for (; *f == 'h'; f++)
		sp->length--;
	return f;
}

static int64_t signed_arg(const struct spec *sp, va_list *ap)
{
	int64_t v;

	if (sp->length > 0)
		return va_arg(*ap, int64_t); /* long, long long and size_t are 64 bits here */
	v = va_arg(*ap, int);
	if (sp->length == -1)
		v = (int16_t)v;
	else if (sp->length <= -2)
		v = (int8_t)v;
	return v;
}

static uint64_t unsigned_arg(const struct spec *sp, va_list *ap)
{
	uint64_t v;

	if (sp->length > 0)
		return va_arg(*ap, uint64_t);
	v = va_arg(*ap, unsigned);
	if (sp->length == -1)
		v = (uint16_t)v;
	else if (sp->length <= -2)
		v = (uint8_t)v;
	return v;
}

static void convert_unsigned(struct out *o, char c, struct spec *sp, va_list *ap)
{
	uint64_t v;

	sp->base = c == 'o' ? 8 : c == 'u' ? 10 : 16;
	sp->upper = c == 'X';
	if (c == 'p') {
		put_number(o, sp, (uint64_t)va_arg(*ap, void *), "0x");
		return;
	}
	v = unsigned_arg(sp, ap);
	if (sp->alt && v != 0 && c != 'u')
		put_number(o, sp, v, c == 'o' ? "0" : c == 'X' ? "0X" : "0x");
	else
		put_number(o, sp, v, "");
}

static void convert(struct out *o, char c, struct spec *sp, va_list *ap)
{
	if (c == 's') {
		const char *s = va_arg(*ap, const char *);

		if (!s)
			s = "(null)";
		put_text(o, sp, s,
			 sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s));
	} else if (c == 'c') {
		char ch = (char)va_arg(*ap, int);

		put_text(o, sp, &ch, 1);
	} else if (c == 'd' || c == 'i') {
		int64_t v = signed_arg(sp, ap);
		const char *sign = v < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";

		sp->base = 10;
		put_number(o, sp, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, sign);
	} else if (c == 'u' || c == 'x' || c == 'X' || c == 'o' || c == 'p') {
		convert_unsigned(o, c, sp, ap);
	} else {
		put(o, '%'); /* "%%", and what is unknown shows itself */
		if (c != '%' && c != '\0')
			put(o, c);
	}
}

static const char *directive(struct out *o, const char *f, va_list *ap)
{
	struct spec sp = {.precision = -1};

	f = parse_flags(f, &sp);
	if (*f == '*') {
		sp.width = va_arg(*ap, int);
		f++;
		if (sp.width < 0) {
			sp.left = true;
			sp.width = -sp.width;
		}
	} else {
		f = parse_int(f, &sp.width);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			sp.precision = va_arg(*ap, int);
			f++;
		} else {
			f = parse_int(f, &sp.precision);
		}
	}
	f = parse_length(f, &sp);
	convert(o, *f, &sp, ap);
	return *f ? f + 1 : f;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = {buf, size, 0};
	va_list ap;

	va_copy(ap, args);
	while (*fmt) {
		if (*fmt != '%')
			put(&o, *fmt++);
		else
			fmt = directive(&o, fmt + 1, &ap);
	}
	va_end(ap);
	if (size > 0)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

size_t scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return size == 0 ? 0 : MIN((size_t)n, size - 1);
}

bool parse_u64(const char *s, uint64_t *out)
{
	uint64_t base = 10;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	} else if (s[0] == '0' && s[1]) {
		base = 8;
		s++;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		uint64_t d = 99;

		if (*s >= '0' && *s <= '9')
			d = (uint64_t)(*s - '0');
		else if ((*s | 32) >= 'a' && (*s | 32) <= 'f')
			d = (uint64_t)((*s | 32) - 'a') + 10;
		if (d >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}
