// SIMD-group matrices: variables that Metal's functions take, and write, by reference.
#include "codegen/msl/table.h"
#include "codegen/msl/writer.h"

namespace enigma::msl {

// The row's template with its operands; they are read in this order.
std::string Writer::matrix_text(const Instruction& inst, std::string_view result) {
  std::string_view text = spelling(inst.op).text;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      out += text[i];
      continue;
    }
    switch (char c = text[++i]) {
      case 'r':
        out += result;
        break;
      case 't':
        out += name_of(dtype(inst.results[0]));
        break;
      case 'a': {
        out += frags_[inst.operands[0].index].text;
        if (m_.constant(inst.operands[1]) != uint64_t{0}) {
          out += concat(" + ", as_operand(index_of(inst.operands[1]), Prec::Additive, true));
        }
        break;
      }
      case 'x':
        if (inst.attr) out += ", 0, true";
        break;
      default: {
        ValueId v = inst.operands[static_cast<size_t>(c - '0')];
        out += info(inst.op).operands[static_cast<size_t>(c - '0')] == 'x' ? index_of(v).text
                                                                           : exact(v).text;
      }
    }
  }
  return out;
}

// The variable of the result, for which no text may stand; declared where it is not yet, and given
// the initial value if there is one.
std::string Writer::matrix_variable(InstId id, const Frag* init) {
  ValueId v = m_[id].results[0];
  uint32_t variable = variables_.of(v);
  std::string value = init ? concat(" = ", init->text, ";") : ";";
  if (variable == kNoVariable) {
    Frag f;
    f.text = local_name(id);
    f.atom = true;
    line(concat(type_name(m_.type(v)), " ", f.text, value));
    frags_[v.index] = std::move(f);
  } else {
    if (variable_names_[variable].empty()) {
      declare_variable(variable, init);
    } else if (init) {
      line(concat(variable_names_[variable], value));
    }
    frags_[v.index] = variable_frag(variable);
  }
  return frags_[v.index].text;
}

void Writer::simd_matrix(InstId id) {
  const Instruction& inst = m_[id];
  if (inst.results.empty()) {
    std::string text = matrix_text(inst, "");
    settle_loads();
    return line(text + ";");
  }
  ValueId v = inst.results[0];
  uint32_t variable = variables_.of(v);
  // The sum may be written to the variable that it is added to, but not to a factor's.
  bool is_factor =
      inst.op == Op::SimdMatrixMultiply && variable != kNoVariable &&
      (variables_.of(inst.operands[0]) == variable || variables_.of(inst.operands[1]) == variable);
  if (is_factor) {
    Frag product;
    product.text = names_.declare("product");
    line(concat(type_name(m_.type(v)), " ", product.text, ";"));
    line(matrix_text(inst, product.text) + ";");
    matrix_variable(id, &product);
  } else if (inst.op == Op::SimdMatrixFill) {
    Frag filled;
    filled.text = matrix_text(inst, "");
    matrix_variable(id, &filled);
  } else {
    std::string result = matrix_variable(id, nullptr);
    line(matrix_text(inst, result) + ";");
  }
}

}  // namespace enigma::msl
