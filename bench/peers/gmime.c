/* GMime: `gmime file|mmap stream|box|touch FILE [check]`. The same work as bench/peers/mime.mjs and bench/mime/wirepost.ts: texts become strings in
 * UTF-8, attachments octets that are counted; prints the same line of JSON (bench/family.ts, Result). */
#include <fcntl.h>
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static gboolean touches, checks;
static GChecksum *hash;
static guint64 parts, octets, messages, touched;
static double first = -1, started, cpu_started;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/* Octets that /proc/self/status has under `name`, which it gives in KiB. */
static guint64 memory(const char *name) {
  char line[256];
  guint64 kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, name, strlen(name)) == 0) kib = strtoull(line + strlen(name) + 1, NULL, 10);
  if (status != NULL) fclose(status);
  return kib * 1024;
}

static void start(void) {
  parts = octets = messages = 0;
  first = -1;
  if (checks) g_checksum_reset(hash);
  cpu_started = cpu();
  started = now();
}

static void content(GMimePart *part) {
  static char buffer[64 * 1024];
  GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
  if (wrapper == NULL) return;
  GMimeStream *stream = g_mime_stream_filter_new(g_mime_data_wrapper_get_stream(wrapper));
  GMimeFilter *filter = g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(wrapper), FALSE);
  g_mime_stream_reset(g_mime_data_wrapper_get_stream(wrapper));
  g_mime_stream_filter_add(GMIME_STREAM_FILTER(stream), filter);
  for (ssize_t length; (length = g_mime_stream_read(stream, buffer, sizeof buffer)) > 0;) {
    if (first < 0) first = now() - started;
    octets += length;
    if (checks) g_checksum_update(hash, (const guchar *)buffer, length);
  }
  g_object_unref(filter);
  g_object_unref(stream);
}

static void touch_part(GMimeObject *part) {
  GMimeContentType *type = g_mime_object_get_content_type(part);
  GMimeParamList *params = type == NULL ? NULL : g_mime_content_type_get_parameters(type);
  if (params != NULL) touched += g_mime_param_list_length(params);
  GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(part);
  if (disposition != NULL) touched += g_mime_param_list_length(g_mime_content_disposition_get_parameters(disposition));
  const char *id = g_mime_object_get_content_id(part);
  if (id != NULL) touched += strlen(id);
  if (GMIME_IS_PART(part)) {
    const char *name = g_mime_part_get_filename(GMIME_PART(part));
    if (name != NULL) touched += strlen(name);
  }
}

static void each(GMimeObject *parent, GMimeObject *part, gpointer data) {
  (void)parent;
  (void)data;
  if (touches) touch_part(part);
  if (GMIME_IS_MULTIPART(part) || GMIME_IS_MESSAGE_PART(part) || !GMIME_IS_PART(part)) return;
  parts++;
  const char *disposition = g_mime_object_get_disposition(part);
  gboolean attached = disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
  if (!attached && GMIME_IS_TEXT_PART(part)) {
    char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
    if (text != NULL) touched += text[0];
    g_free(text);
  } else
    content(GMIME_PART(part));
}

static void touch_message(GMimeMessage *message) {
  for (int type = GMIME_ADDRESS_TYPE_SENDER; type <= GMIME_ADDRESS_TYPE_BCC; type++) {
    InternetAddressList *list = g_mime_message_get_addresses(message, type);
    for (int at = 0, count = internet_address_list_length(list); at < count; at++) {
      InternetAddress *address = internet_address_list_get_address(list, at);
      const char *name = internet_address_get_name(address);
      if (name != NULL) touched += name[0];
      if (INTERNET_ADDRESS_IS_MAILBOX(address)) touched += internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address))[0];
    }
  }
  GDateTime *date = g_mime_message_get_date(message);
  if (date != NULL) touched += g_date_time_to_unix(date) & 1;
  const char *const fields[] = {"In-Reply-To", "References"};
  for (int at = 0; at < 2; at++) {
    const char *value = g_mime_object_get_header(GMIME_OBJECT(message), fields[at]);
    if (value == NULL) continue;
    GMimeReferences *references = g_mime_references_parse(NULL, value);
    touched += g_mime_references_length(references);
    g_mime_references_free(references);
  }
}

static void parse(GMimeStream *stream, gboolean notes) {
  GMimeParser *parser = g_mime_parser_new_with_stream(stream);
  GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
  if (message == NULL) {
    fprintf(stderr, "Error: no message\n");
    exit(1);
  }
  messages++;
  const char *subject = g_mime_message_get_subject(message);
  const char *id = g_mime_message_get_message_id(message);
  if (checks && notes) {
    char *text = g_strdup_printf("%s|<%s>|", subject, id);
    g_checksum_update(hash, (const guchar *)text, strlen(text));
    g_free(text);
  }
  if (touches) touch_message(message);
  if (g_mime_message_get_mime_part(message) != NULL) g_mime_message_foreach(message, each, NULL);
  g_object_unref(message);
  g_object_unref(parser);
}

static GMimeStream *opened(const char *file, gboolean mapped) {
  int descriptor = open(file, O_RDONLY);
  return mapped ? g_mime_stream_mmap_new(descriptor, PROT_READ, MAP_PRIVATE) : g_mime_stream_fs_new(descriptor);
}

/* A message of a box, out of memory that GMime owns (`file`) or out of the mapped box (`mmap`), where nothing is copied. */
static void read_message(GMimeStream *mapped, const char *box, size_t at, size_t length) {
  GMimeStream *stream =
      mapped == NULL ? g_mime_stream_mem_new_with_buffer(box + at, length) : g_mime_stream_substream(mapped, at, at + length);
  parse(stream, TRUE);
  g_object_unref(stream);
}

static void read_box(GMimeStream *mapped, const char *box, size_t length, size_t most) {
  for (size_t at = 0, count = 0; at < length && count < most; count++) {
    char *end;
    size_t size = strtoull(box + at, &end, 10);
    at = end + 1 - box;
    read_message(mapped, box, at, size);
    at += size;
  }
}

static size_t box_count(const char *box, size_t length) {
  size_t count = 0;
  for (size_t at = 0; at < length; count++) {
    char *end;
    size_t size = strtoull(box + at, &end, 10);
    at = end + 1 - box + size;
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *work = argv[2], *file = argv[3];
  touches = strcmp(work, "touch") == 0;
  checks = argc > 4 && strcmp(argv[4], "check") == 0;
  g_mime_init();
  hash = g_checksum_new(G_CHECKSUM_SHA256);
  char *box = NULL;
  gsize length = 0;
  gboolean streams = strcmp(work, "stream") == 0, mapped = strcmp(argv[1], "mmap") == 0;
  if (!streams && !g_file_get_contents(file, &box, &length, NULL)) return 1;
  guint64 idle = memory("VmRSS");
  if (streams) {
    start();
    GMimeStream *stream = opened(file, mapped);
    parse(stream, FALSE);
    g_object_unref(stream);
  } else {
    size_t warm = box_count(box, length) / 5;
    GMimeStream *stream = mapped ? opened(file, TRUE) : NULL;
    read_box(stream, box, length, warm > 0 ? warm : 1);
    start();
    read_box(stream, box, length, (size_t)-1);
  }
  double ms = now() - started, used = cpu() - cpu_started;
  printf("{\"ms\":%.3f,\"cpuMs\":%.3f,\"peakBytes\":%" G_GUINT64_FORMAT ",\"idleBytes\":%" G_GUINT64_FORMAT, ms, used, memory("VmHWM"), idle);
  printf(",\"parts\":%" G_GUINT64_FORMAT ",\"octets\":%" G_GUINT64_FORMAT, parts, octets);
  if (!streams) printf(",\"messages\":%" G_GUINT64_FORMAT, messages);
  if (first >= 0) printf(",\"firstMs\":%.3f", first);
  if (checks) printf(",\"sha256\":\"%s\"", g_checksum_get_string(hash));
  printf("}\n");
  return touched == 1 ? 3 : 0;
}
