/*
 * Fuzz: where no fuzzer is at hand, run a target over files, or over the
 * files of directories, once each. Linked with one target.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned n_files;

static int
replay(const char *path)
{
	SCOPED_BUF b = BUF_INIT(16 << 20);

	if (buf_read_file(&b, path) != ERR_OK) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	n_files++;
	return LLVMFuzzerTestOneInput((const uint8_t *)(b.p != NULL ? b.p : ""), b.len);
}

static int
replay_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int bad = 0;

	if (d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL) {
		char path[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		bad |= replay(path);
	}
	closedir(d);
	return bad;
}

int
main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		bad |= stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? replay_all(argv[i]) : replay(argv[i]);
	}
	printf("%u files\n", n_files);
	return bad;
}
