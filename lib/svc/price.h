/*
 * What a call of a model costs, from the catalog's prices (providers' contract section 2.1).
 */
#ifndef LF_PRICE_H
#define LF_PRICE_H
#include "lib/svc/config.h"

/* What a call took, as the provider counted it. Thinking is output. */
struct call_tokens {
	int64_t input, output;
	int64_t cache_read, cache_write;        /* of the input */
	int64_t cache_hour;                     /* of cache_write: what is kept for an hour */
	int64_t image_input, image_output;      /* of output, and of the input that is in no cache, where the model has prices of their own for images */
	int64_t audio_input, audio_output;      /* the same, for sound */
	int64_t generations;                    /* pictures, songs …, of a model with a price per call */
};

/*
 * Nano-dollars, rounded up. A model without a known price costs what [budget] unpriced_* say (1 and 3
 * dollars a million tokens), one that makes vectors what lib/svc/embeddings.def says, one on this machine, or of a command-line program, nothing, whatever
 * others ask for one of that name. Where the catalog tells no price of its own,
 * what is read from a cache costs a tenth of the input, what is written to one five quarters, twice for an hour, and sound
 * what words do. cfg may be NULL.
 */
int64_t price_of(const struct config *, const char *provider, const char *model, const struct call_tokens *);
/* A call with so many tokens in and out costs at most that, whatever they are; hour: what is cached is kept for an hour. */
int64_t price_bound(const struct config *, const char *provider, const char *model, int64_t input, int64_t output, bool hour);
/* What the model writes at most when it is not told a limit; never 0. */
int64_t price_max_output(const struct config *, const char *provider, const char *model);
/* What the model reads at most, 0: not known. */
int64_t price_max_input(const char *provider, const char *model);
#endif
