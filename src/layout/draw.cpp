// Pictures of layouts: one table, drawn as text, as SVG and as LaTeX.

#include <array>

#include "enigma/layout.h"
#include "layout/checked.h"

namespace enigma {
namespace {

constexpr int64_t kMostCells = 1 << 14;
constexpr std::array<const char*, 8> kPalette = {"d6e4f5", "fde3c8", "d5ecd4", "f7d4d6",
                                                 "e4d9f0", "f6efbf", "cfecec", "e6e0d8"};

/// The place of a number in the palette; -1 is an empty cell.
int64_t shade(int64_t colour) { return colour < 0 ? -1 : colour % int64_t{kPalette.size()}; }

Table blank(std::string title, int64_t rows, int64_t columns) {
  Table out{std::move(title), rows, columns, {}, {}};
  if (rows != 0 && columns > kMostCells / rows)
    throw Error(concat("a picture of ", out.title, " would have ", rows, " x ", columns,
                       " cells, and no more than ", kMostCells,
                       " are drawn; draw a part of it, such as a tile of logical_divide"));
  auto cells = static_cast<size_t>(rows * columns);
  out.labels.resize(cells);
  out.colours.resize(cells, -1);
  return out;
}

size_t widest(const Table& t) {
  size_t most = std::max(concat(t.rows - 1).size(), concat(t.columns - 1).size());
  for (const std::string& label : t.labels) most = std::max(most, label.size());
  return most;
}

/// "  7  ": a label in the middle of a cell.
std::string centred(std::string_view label, size_t width) {
  size_t left = (width - label.size() + 1) / 2;
  return std::string(left, ' ') + std::string(label) +
         std::string(width - label.size() - left, ' ');
}

std::string escaped(std::string_view text) {
  Text out;
  for (char c : text) {
    if (c == '<') {
      out.add("&lt;");
    } else if (c == '&') {
      out.add("&amp;");
    } else {
      out.add(c);
    }
  }
  return std::move(out.str());
}

const Layout& domain(const AnyLayout& l) {
  if (const auto* swizzled = std::get_if<SwizzledLayout>(&l)) return swizzled->layout;
  return std::get<Layout>(l);
}

}  // namespace

Table table(const AnyLayout& any, const std::optional<Layout>& colour) {
  const Layout& l = domain(any);
  const auto* swizzled = std::get_if<SwizzledLayout>(&any);
  std::string title = swizzled ? str(*swizzled) : str(l);
  int64_t size = l.size();
  if (colour && (colour->size() != size || colour->gives_coordinates()))
    throw Error(concat("the colours ", str(*colour), " do not fit the layout ", title,
                       ": give a layout of ", size, " numbers, one for each coordinate"));
  bool vector = l.rank() < 2;
  int64_t rows = vector ? 1 : l[0].size();
  Table out = blank(title, rows, rows == 0 ? 0 : size / rows);
  for (int64_t c = 0; c < size; ++c) {
    auto cell = static_cast<size_t>(c % rows * out.columns + c / rows);
    if (l.gives_coordinates()) {
      out.labels[cell] = str(l.coordinate(IntTuple(c)));
      out.colours[cell] = c;
    } else {
      int64_t index = swizzled ? (*swizzled)(IntTuple(c)) : l(c);
      out.labels[cell] = concat(index);
      out.colours[cell] = checked_abs(index);
    }
    if (colour) out.colours[cell] = checked_abs((*colour)(c));
  }
  return out;
}

Table table_tv(const Layout& tv, const IntTuple& tile) {
  std::string title = concat(str(tv), " on ", str(tile));
  if (tv.rank() != 2 || tv.gives_coordinates() || product(tile) == 0)
    throw Error(concat("the layout ", title,
                       " cannot be drawn by threads and values: give a layout "
                       "of two modes, (thread, value), and the tile of make_layout_tv"));
  int64_t rows = tile.rank() < 2 ? 1 : product(tile.root().mode(0));
  Table out = blank(title, rows, product(tile) / rows);
  int64_t threads = tv[0].size(), size = tv.size();
  std::vector<int64_t> others(out.labels.size(), 0);
  for (int64_t c = 0; c < size; ++c) {
    int64_t index = tv(c);
    if (index < 0 || index >= rows * out.columns)
      throw Error(concat("the layout ", title, " cannot be drawn: thread ", c % threads, ", value ",
                         c / threads, " lies at ", index,
                         ", outside of the tile; give the tile of "
                         "make_layout_tv"));
    auto cell = static_cast<size_t>(index % rows * out.columns + index / rows);
    if (out.labels[cell].empty()) {
      out.labels[cell] = concat("T", c % threads, " V", c / threads);
      out.colours[cell] = c % threads;
    } else {
      ++others[cell];
    }
  }
  for (size_t i = 0; i < others.size(); ++i) {
    if (others[i] != 0) out.labels[i] += concat(" +", others[i]);  // more share this place
  }
  return out;
}

std::string draw_text(const Table& t) {
  size_t width = widest(t) + 2, margin = concat(std::max<int64_t>(t.rows - 1, 0)).size() + 3;
  Text out;
  out.add(t.title, "\n", std::string(margin + 1, ' '));
  for (int64_t j = 0; j < t.columns; ++j) out.add(centred(concat(j), width), " ");
  std::string rule(margin, ' ');
  for (int64_t j = 0; j < t.columns; ++j) rule += "+" + std::string(width, '-');
  rule += "+\n";
  while (out.str().back() == ' ') out.str().pop_back();
  out.add("\n", rule);
  for (int64_t i = 0; i < t.rows; ++i) {
    out.add(centred(concat(i), margin));
    for (int64_t j = 0; j < t.columns; ++j)
      out.add("|", centred(t.labels[static_cast<size_t>(i * t.columns + j)], width));
    out.add("|\n", rule);
  }
  return std::move(out.str());
}

std::string draw_svg(const Table& t) {
  const auto cell_width = static_cast<int64_t>(std::max<size_t>(28, 7 * widest(t) + 12));
  const int64_t cell_height = 26, left = 34, top = 48;
  int64_t width = t.columns * cell_width, height = t.rows * cell_height;
  // Short titles of small tables need room, too.
  int64_t total = std::max(left + width, static_cast<int64_t>(7 * t.title.size()) + 16) + 8;
  Text out(1);
  out.line("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", total, "\" height=\"",
           top + height + 8, "\" font-family=\"monospace\" font-size=\"12\" role=\"img\">");
  out.indent();
  out.line("<title>", escaped(t.title), "</title>");
  out.line("<g fill=\"#777\"><text x=\"8\" y=\"18\">", escaped(t.title), "</text>");
  out.line("<g text-anchor=\"middle\">");
  for (int64_t j = 0; j < t.columns; ++j)
    out.line("<text x=\"", left + j * cell_width + cell_width / 2, "\" y=\"", top - 8, "\">", j,
             "</text>");
  for (int64_t i = 0; i < t.rows; ++i)
    out.line("<text x=\"", left / 2, "\" y=\"", top + i * cell_height + 17, "\">", i, "</text>");
  out.line("</g></g>");
  // All cells of a colour are one path: files stay small.
  for (int64_t colour = -1; colour < int64_t{kPalette.size()}; ++colour) {
    Text path;
    for (int64_t i = 0; i < t.rows; ++i) {
      for (int64_t j = 0; j < t.columns; ++j) {
        if (shade(t.colours[static_cast<size_t>(i * t.columns + j)]) == colour)
          path.add("M", left + j * cell_width, " ", top + i * cell_height, "h", cell_width, "v",
                   cell_height, "h-", cell_width, "z");
      }
    }
    if (!path.str().empty())
      out.line("<path fill=\"#", colour < 0 ? "fff" : kPalette[static_cast<size_t>(colour)],
               "\" stroke=\"#555\" d=\"", path.str(), "\"/>");
  }
  out.line("<g text-anchor=\"middle\">");
  for (int64_t i = 0; i < t.rows; ++i) {
    for (int64_t j = 0; j < t.columns; ++j) {
      const std::string& label = t.labels[static_cast<size_t>(i * t.columns + j)];
      if (!label.empty())
        out.line("<text x=\"", left + j * cell_width + cell_width / 2, "\" y=\"",
                 top + i * cell_height + 17, "\">", label, "</text>");
    }
  }
  out.line("</g>");
  out.dedent();
  out.line("</svg>");
  return std::move(out.str());
}

std::string draw_latex(const Table& t) {
  // Units are millimetres; widths follow the labels.
  auto width = static_cast<int64_t>(std::max<size_t>(8, 2 * widest(t) + 4));
  Text out(2);
  out.line("% ", t.title);
  out.line("\\documentclass[tikz]{standalone}");
  for (size_t k = 0; k < kPalette.size(); ++k)
    out.line("\\definecolor{layout", k, "}{HTML}{", kPalette[k], "}");
  out.line("\\begin{document}");
  out.line("\\begin{tikzpicture}[x=", width, "mm, y=-8mm, font=\\ttfamily\\footnotesize]");
  out.indent();
  for (int64_t j = 0; j < t.columns; ++j) out.line("\\node[gray] at (", j, ".5,-0.5) {", j, "};");
  for (int64_t i = 0; i < t.rows; ++i) {
    out.line("\\node[gray] at (-0.5,", i, ".5) {", i, "};");
    for (int64_t j = 0; j < t.columns; ++j) {
      auto cell = static_cast<size_t>(i * t.columns + j);
      int64_t colour = shade(t.colours[cell]);
      std::string fill = colour < 0 ? "white" : concat("layout", colour);
      out.line("\\filldraw[fill=", fill, "] (", j, ",", i, ") rectangle +(1,1) (", j, ".5,", i,
               ".5) node {", t.labels[cell], "};");
    }
  }
  out.dedent();
  out.line("\\end{tikzpicture}");
  out.line("\\end{document}");
  return std::move(out.str());
}

}  // namespace enigma
