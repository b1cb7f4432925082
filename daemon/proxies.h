/*
 * Which proxy a call outside goes through: the provider's own ([provider_proxy_urls], "" is none), else that of [proxy],
 * unless no_proxy names the host or it is this machine. Nothing is taken from the environment.
 */
#ifndef LF_PROXIES_H
#define LF_PROXIES_H
#include "lib/base/base.h"

/*
 * provider: NULL: a call that is no provider's. url: where to; NULL: somewhere by https. ret: NULL: straight. One with a password
 * lives as long as the job and is wiped then. PRECONDITION proxy_unusable: its password cannot be read, and to go around it
 * is not what was asked for.
 */
enum err proxy_for(struct ctx *, const char *provider, const char *url, const char **ret) MUST_CHECK;
#endif
