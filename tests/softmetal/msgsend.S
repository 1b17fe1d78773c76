// objc_msgSend: object, class, table, method; all argument registers and the stack pass untouched.
//
// struct objc_class { isa, super, name, imps }: imps lies at 24; a selector begins with its index.

#if defined(__x86_64__)
    .text

    .macro SEND self, sel
    movq    (\self), %r10
    movq    24(%r10), %r10
    movl    (\sel), %r11d
    movq    (%r10,%r11,8), %r11
    testq   %r11, %r11
    je      9f
    jmpq    *%r11
9:
    .endm

    .macro SLOW self, sel
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register %rbp
    subq    $192, %rsp
    movq    %rdi, 0(%rsp)
    movq    %rsi, 8(%rsp)
    movq    %rdx, 16(%rsp)
    movq    %rcx, 24(%rsp)
    movq    %r8, 32(%rsp)
    movq    %r9, 40(%rsp)
    movq    %rax, 48(%rsp)
    movups  %xmm0, 64(%rsp)
    movups  %xmm1, 80(%rsp)
    movups  %xmm2, 96(%rsp)
    movups  %xmm3, 112(%rsp)
    movups  %xmm4, 128(%rsp)
    movups  %xmm5, 144(%rsp)
    movups  %xmm6, 160(%rsp)
    movups  %xmm7, 176(%rsp)
    movq    \sel, %r10
    movq    \self, %rdi
    movq    %r10, %rsi
    callq   softmetal_find_method@PLT
    movq    %rax, %r11
    movq    0(%rsp), %rdi
    movq    8(%rsp), %rsi
    movq    16(%rsp), %rdx
    movq    24(%rsp), %rcx
    movq    32(%rsp), %r8
    movq    40(%rsp), %r9
    movq    48(%rsp), %rax
    movups  64(%rsp), %xmm0
    movups  80(%rsp), %xmm1
    movups  96(%rsp), %xmm2
    movups  112(%rsp), %xmm3
    movups  128(%rsp), %xmm4
    movups  144(%rsp), %xmm5
    movups  160(%rsp), %xmm6
    movups  176(%rsp), %xmm7
    movq    %rbp, %rsp
    popq    %rbp
    .cfi_def_cfa %rsp, 8
    jmpq    *%r11
    .endm

    .globl  objc_msgSend, objc_msgSend_fpret
    .type   objc_msgSend, @function
    .type   objc_msgSend_fpret, @function
    .p2align 4
objc_msgSend:
objc_msgSend_fpret:
    .cfi_startproc
    testq   %rdi, %rdi
    je      1f
    SEND    %rdi, %rsi
    SLOW    %rdi, %rsi
1:  xorl    %eax, %eax
    xorl    %edx, %edx
    xorps   %xmm0, %xmm0
    xorps   %xmm1, %xmm1
    retq
    .cfi_endproc

    // The result's address goes first; a method that returns a struct takes the same registers.
    .globl  objc_msgSend_stret
    .type   objc_msgSend_stret, @function
    .p2align 4
objc_msgSend_stret:
    .cfi_startproc
    testq   %rsi, %rsi
    je      1f
    SEND    %rsi, %rdx
    SLOW    %rsi, %rdx
1:  movq    %rdi, %rax
    retq
    .cfi_endproc

#elif defined(__aarch64__)
    .text
    .globl  objc_msgSend, objc_msgSend_fpret, objc_msgSend_stret
    .type   objc_msgSend, %function
    .type   objc_msgSend_fpret, %function
    .type   objc_msgSend_stret, %function
    .p2align 4
objc_msgSend:
objc_msgSend_fpret:
objc_msgSend_stret:
    .cfi_startproc
    cbz     x0, 1f
    ldr     x16, [x0]
    ldr     x16, [x16, #24]
    ldr     w17, [x1]
    ldr     x16, [x16, x17, lsl #3]
    cbz     x16, 2f
    br      x16
1:  mov     x1, #0
    movi    v0.2d, #0
    movi    v1.2d, #0
    movi    v2.2d, #0
    movi    v3.2d, #0
    ret
2:  stp     x29, x30, [sp, #-224]!
    .cfi_def_cfa_offset 224
    .cfi_offset x29, -224
    .cfi_offset x30, -216
    mov     x29, sp
    .cfi_def_cfa_register x29
    stp     x0, x1, [sp, #16]
    stp     x2, x3, [sp, #32]
    stp     x4, x5, [sp, #48]
    stp     x6, x7, [sp, #64]
    str     x8, [sp, #80]
    stp     q0, q1, [sp, #96]
    stp     q2, q3, [sp, #128]
    stp     q4, q5, [sp, #160]
    stp     q6, q7, [sp, #192]
    bl      softmetal_find_method
    mov     x16, x0
    ldp     x0, x1, [sp, #16]
    ldp     x2, x3, [sp, #32]
    ldp     x4, x5, [sp, #48]
    ldp     x6, x7, [sp, #64]
    ldr     x8, [sp, #80]
    ldp     q0, q1, [sp, #96]
    ldp     q2, q3, [sp, #128]
    ldp     q4, q5, [sp, #160]
    ldp     q6, q7, [sp, #192]
    ldp     x29, x30, [sp], #224
    .cfi_def_cfa sp, 0
    .cfi_restore x29
    .cfi_restore x30
    br      x16
    .cfi_endproc
#else
#error "no objc_msgSend for this machine"
#endif

    .section .note.GNU-stack,"",%progbits
