/* A Python of our own making: it prints what the file NAME.answer beside it says, and notes in NAME.started that it ran.

   A first line `fail TEXT` makes it complain of TEXT and fail, `hang` makes it wait until it is killed. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
    char path[4096], text[4096];
    FILE *file;
    size_t length;

    (void)count;
    snprintf(path, sizeof path, "%s.started", arguments[0]);
    if ((file = fopen(path, "a"))) {
        fputs("x", file);
        fclose(file);
    }
    snprintf(path, sizeof path, "%s.answer", arguments[0]);
    if (!(file = fopen(path, "r"))) return 9;
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = 0;
    fclose(file);
    if (!strncmp(text, "fail ", 5)) {
        fprintf(stderr, "first line\n%s\n", text + 5);
        return 127;
    }
    if (!strncmp(text, "hang", 4)) pause();
    fprintf(stderr, "a warning\n");
    fputs(text, stdout);
    return 0;
}
