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
        const Instruction* first = constant(inst.operands[1]);
        out += frags_[inst.operands[0].index].text;
        if (!first || first->attr) {
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

// Declares the variable of the result, which no text may stand for, unless there is one.
std::string Writer::matrix_variable(InstId id) {
  ValueId v = m_[id].results[0];
  uint32_t variable = variables_.of(v);
  if (variable != kNoVariable) {
    if (variable_names_[variable].empty()) declare_variable(variable, nullptr);
    frags_[v.index] = variable_frag(variable);
  } else {
    Frag f;
    f.text = local_name(id);
    f.atom = true;
    line(concat(type_name(m_.type(v)), " ", f.text, ";"));
    frags_[v.index] = std::move(f);
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
    std::string product = names_.declare("product");
    line(concat(type_name(m_.type(v)), " ", product, ";"));
    line(matrix_text(inst, product) + ";");
    line(concat(matrix_variable(id), " = ", product, ";"));
  } else if (inst.op == Op::SimdMatrixFill) {
    std::string text = matrix_text(inst, "");
    line(concat(matrix_variable(id), " = ", text, ";"));
  } else {
    std::string text = matrix_text(inst, matrix_variable(id));
    line(text + ";");
  }
}

}  // namespace enigma::msl
