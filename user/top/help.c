/* SPDX-License-Identifier: MIT */
#include "top/internal.h"

static const char *const lines[] = {
	"A copy is a page of memory that a process shared until it wrote to it.",
	"",
	"  q             quit",
	"  Tab           the next table: workers, sites, causes",
	"  s  <  >       sort by the next column, the one to the left, to the right",
	"  r             sort the other way round",
	"  /             show only rows with a text; Enter keeps it, Escape removes it",
	"  w             numbers of the last 1, 5, 15 or 60 seconds",
	"  p  space      stop the picture; tracing and counting go on",
	"  arrows        mark a row, which is then shown in full; Escape: none",
	"  Page Up/Down  Home  End",
	"",
	"copies/s, MiB/s   in these last seconds; all else since the start",
	"copied            what a process got of its own by writing",
	"shared            what it has not copied of what it began with, at most",
	"then              what it began with: at its fork, or when cowtrace came",
	"new               memory that it has filled since",
};

void help__draw(struct canvas *canvas)
{
	canvas__text(canvas, 0, 0, canvas->width, STYLE_STRONG, "cowtrace top: any key goes back");
	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])); i++)
		canvas__text(canvas, 0, i + (canvas->height > 20 ? 2 : 1), canvas->width,
			     STYLE_PLAIN, lines[i]);
}
