/* SPDX-License-Identifier: MIT */
#include "units/amount.h"

#include <errno.h>

#include "units/value.h"

/* --- shares --- */

int amount_percent(struct str s, uint32_t most, uint32_t *ret_units)
{
	size_t dot = str_index(s, '.');
	struct str fraction = str_sub(s, dot + 1, dot + 3);
	uint64_t whole;
	uint64_t hundredths = 0;
	int r = str_to_u64(str_sub(s, 0, dot), &whole);

	if (r == 0 && fraction.n > 0)
		r = str_to_u64(fraction, &hundredths);
	if (r < 0)
		return r;
	if (whole > UINT32_MAX / 100)
		return err_here(-ERANGE);
	whole = whole * 100 + (fraction.n == 1 ? hundredths * 10 : hundredths);
	if (whole > most)
		return err_here(-ERANGE);
	*ret_units = (uint32_t)whole;
	return 0;
}

int amount_share(struct str s, uint32_t most, uint32_t *ret_units)
{
	if (!str_has_suffix(s, STR("%")))
		return err_here(-EINVAL);
	return amount_percent(str_sub(s, 0, s.n - 1), most, ret_units);
}

/* --- rates --- */

int amount_rate(struct str s, uint64_t *ret)
{
	static const char suffixes[] = "KMGTPE";
	const char *suffix = s.n ? memchr(suffixes, s.p[s.n - 1], sizeof(suffixes) - 1) : NULL;
	uint64_t n;
	int r;

	if (str_eq(s, STR("infinity"))) {
		*ret = UINT64_MAX;
		return 0;
	}
	r = str_to_u64(str_trim(str_sub(s, 0, s.n - (suffix ? 1 : 0))), &n);
	for (const char *p = suffixes; r == 0 && suffix && p <= suffix; p++) {
		if (n > UINT64_MAX / 1000)
			return err_here(-ERANGE);
		n *= 1000;
	}
	if (r == 0)
		*ret = n;
	return r;
}

int amount_hex(struct str s, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n = 0;

	if (str_has_prefix(s, STR("0x")))
		s = str_sub(s, 2, s.n);
	if (s.n == 0 || s.n > 16)
		return err_here(-EINVAL);
	for (size_t k = 0; k < s.n; k++) {
		const char *digit = memchr(digits, s.p[k] | ' ', 16);

		if (!digit)
			return err_here(-EINVAL);
		n = n << 4 | (uint64_t)(digit - digits);
	}
	*ret = n;
	return 0;
}

void amount_show(uint64_t n, struct sbuf *out)
{
	static const char suffixes[] = "EPTGMK";
	unsigned at = 0;
	uint64_t unit;

	while (at < sizeof(suffixes) - 1 && n >> (60 - 10 * at) == 0)
		at++;
	if (at == sizeof(suffixes) - 1) {
		sbuf_addf(out, "%lluB", (unsigned long long)n);
		return;
	}
	unit = UINT64_C(1) << (60 - 10 * at);
	sbuf_addf(out, "%llu.%llu%c", (unsigned long long)(n / unit),
		  (unsigned long long)(n % unit / (unit / 1024) * 10 / 1024), suffixes[at]);
}

/* --- errors --- */

/* clang-format off */
#define ERRORS_LIST(ERROR) \
	ERROR(PERM) ERROR(NOENT) ERROR(SRCH) ERROR(INTR) ERROR(IO) ERROR(NXIO) ERROR(2BIG) ERROR(NOEXEC) ERROR(BADF) \
	ERROR(CHILD) ERROR(AGAIN) ERROR(NOMEM) ERROR(ACCES) ERROR(FAULT) ERROR(NOTBLK) ERROR(BUSY) ERROR(EXIST) \
	ERROR(XDEV) ERROR(NODEV) ERROR(NOTDIR) ERROR(ISDIR) ERROR(INVAL) ERROR(NFILE) ERROR(MFILE) ERROR(NOTTY) \
	ERROR(TXTBSY) ERROR(FBIG) ERROR(NOSPC) ERROR(SPIPE) ERROR(ROFS) ERROR(MLINK) ERROR(PIPE) ERROR(DOM) \
	ERROR(RANGE) ERROR(DEADLK) ERROR(NAMETOOLONG) ERROR(NOLCK) ERROR(NOSYS) ERROR(NOTEMPTY) ERROR(LOOP) \
	ERROR(NOMSG) ERROR(IDRM) ERROR(CHRNG) ERROR(L2NSYNC) ERROR(L3HLT) ERROR(L3RST) ERROR(LNRNG) ERROR(UNATCH) \
	ERROR(NOCSI) ERROR(L2HLT) ERROR(BADE) ERROR(BADR) ERROR(XFULL) ERROR(NOANO) ERROR(BADRQC) ERROR(BADSLT) \
	ERROR(BFONT) ERROR(NOSTR) ERROR(NODATA) ERROR(TIME) ERROR(NOSR) ERROR(NONET) ERROR(NOPKG) ERROR(REMOTE) \
	ERROR(NOLINK) ERROR(ADV) ERROR(SRMNT) ERROR(COMM) ERROR(PROTO) ERROR(MULTIHOP) ERROR(DOTDOT) ERROR(BADMSG) \
	ERROR(OVERFLOW) ERROR(NOTUNIQ) ERROR(BADFD) ERROR(REMCHG) ERROR(LIBACC) ERROR(LIBBAD) ERROR(LIBSCN) \
	ERROR(LIBMAX) ERROR(LIBEXEC) ERROR(ILSEQ) ERROR(RESTART) ERROR(STRPIPE) ERROR(USERS) ERROR(NOTSOCK) \
	ERROR(DESTADDRREQ) ERROR(MSGSIZE) ERROR(PROTOTYPE) ERROR(NOPROTOOPT) ERROR(PROTONOSUPPORT) \
	ERROR(SOCKTNOSUPPORT) ERROR(OPNOTSUPP) ERROR(PFNOSUPPORT) ERROR(AFNOSUPPORT) ERROR(ADDRINUSE) \
	ERROR(ADDRNOTAVAIL) ERROR(NETDOWN) ERROR(NETUNREACH) ERROR(NETRESET) ERROR(CONNABORTED) ERROR(CONNRESET) \
	ERROR(NOBUFS) ERROR(ISCONN) ERROR(NOTCONN) ERROR(SHUTDOWN) ERROR(TOOMANYREFS) ERROR(TIMEDOUT) \
	ERROR(CONNREFUSED) ERROR(HOSTDOWN) ERROR(HOSTUNREACH) ERROR(ALREADY) ERROR(INPROGRESS) ERROR(STALE) \
	ERROR(UCLEAN) ERROR(NOTNAM) ERROR(NAVAIL) ERROR(ISNAM) ERROR(REMOTEIO) ERROR(DQUOT) ERROR(NOMEDIUM) \
	ERROR(MEDIUMTYPE) ERROR(CANCELED) ERROR(NOKEY) ERROR(KEYEXPIRED) ERROR(KEYREVOKED) ERROR(KEYREJECTED) \
	ERROR(OWNERDEAD) ERROR(NOTRECOVERABLE) ERROR(RFKILL) ERROR(HWPOISON)
/* clang-format on */

static const char *const error_names[] = {
#define ERROR(name) [E##name] = "E" #name,
	ERRORS_LIST(ERROR)
#undef ERROR
};

const char *amount_errno_name(int number)
{
	return number > 0 && number < (int)ARRAY_SIZE(error_names) ? error_names[number] : NULL;
}

int amount_errno(struct str s, int *ret)
{
	enum { ERRNO_MAX = 4095 };
	unsigned at;

	if (value_enum(s, error_names, ARRAY_SIZE(error_names), &at) < 0)
		return value_int(s, 1, ERRNO_MAX, ret);
	*ret = (int)at;
	return 0;
}
