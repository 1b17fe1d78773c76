# cmake -DINPUT=file -DOUTPUT=file.cpp -DSYMBOL=name -P embed_text.cmake
# Writes a C++ source that defines enigma::<SYMBOL>, a std::string_view of the text of INPUT.

file(READ "${INPUT}" text)
string(LENGTH "${text}" length)
# Literals have a guaranteed length of 64 KiB only; neighbours are joined by the compiler.
set(chunks "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8192 chunk)
  string(APPEND chunks "\n    R\"~~~(${chunk})~~~\"")
  math(EXPR at "${at} + 8192")
endwhile()
file(
  WRITE "${OUTPUT}"
  "// Generated from ${SYMBOL}'s source by embed_text.cmake; do not edit.\n"
  "#include <string_view>\n\n"
  "namespace enigma {\n"
  "extern const std::string_view ${SYMBOL};\n"
  "constinit const std::string_view ${SYMBOL} =${chunks};\n"
  "}  // namespace enigma\n")
