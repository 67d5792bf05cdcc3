import { useLayoutEffect, useRef } from "preact/hooks";

interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly rows?: number;
  readonly placeholder?: string;
  readonly hideLabel?: boolean;
}

/** A labelled text area that is as high as its text, within limits. */
export function TextField({ label, value, onInput, rows = 2, placeholder = "", hideLabel }: TextFieldProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const element = area.current!;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight + 2, 360)}px`;
  }, [value]);
  return (
    <label class="text-field">
      <span class={hideLabel ? "unseen" : "field-name"}>{label}</span>
      <textarea
        ref={area}
        rows={rows}
        value={value}
        placeholder={placeholder}
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
